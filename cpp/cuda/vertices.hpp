// The vertices of the cells that a run's cells are cut into.
#pragma once

#include "types.hpp"

namespace pyexpr::cuda {

// Vertex i < `old` of the run, or else point i - old in one of its cells, goes to its place among all.
// What it is made of: row `from` and `share` of the way to the next one; `parent`: the cell that the
// part on its right is of.
PYEXPR_ANYWHERE inline void merge(i64 i, i64 old, i64 level, const i64* first_point, const f64* t,
                                  const f64* tau, const i64* levels, const i64* neuron,
                                  const i64* threshold, const i64* piece, const f64* displacement,
                                  const i64* point_cell, const f64* point_t, const f64* point_tau,
                                  const i64* point_neuron, const i64* point_threshold,
                                  const f64* point_displacement, f64* out_t, f64* out_tau,
                                  i64* out_level, i64* out_neuron, i64* out_threshold,
                                  i64* out_piece, f64* out_displacement, i64* from, f64* share,
                                  i64* parent) {
    const bool is_old = i < old;
    const i64 p = i - old, c = is_old ? i : point_cell[p];
    const i64 to = is_old ? i + first_point[i] : c + 1 + p;
    out_t[to] = is_old ? t[i] : point_t[p];
    out_tau[to] = is_old ? tau[i] : point_tau[p];
    out_level[to] = is_old ? levels[i] : level;
    out_neuron[to] = is_old ? neuron[i] : point_neuron[p];
    out_threshold[to] = is_old ? threshold[i] : point_threshold[p];
    out_piece[to] = piece[c];
    const f64 length = is_old ? 0 : t[c + 1] - t[c];
    from[to] = c;
    share[to] = length > 0 ? smallest((point_t[p] - t[c]) / length, 1) : 0;
    parent[to] = c;
    // A point at the float of its cell's left end has the row of that end, and what that is wrong by.
    const f64 at_end = !is_old && share[to] == 0 ? displacement[c] : 0;
    out_displacement[to] = is_old ? displacement[i] : point_displacement[p] + at_end;
}

}  // namespace pyexpr::cuda
