// The outputs of a level on the parts that a curve's cells are cut into, and what these are wrong by:
// docs/mathematics/proof.md has the induction. Everything is times w; part c of an old cell is from `start[c]` to
// `stop[c]` on it, and its coefficients are rows c degree to (c + 1) degree.
#pragma once

#include "bernstein.hpp"
#include "pyexpr/rounding.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// The coefficients of w, given on [0, 1], on each cell, each to the nearest float or its neighbour.
PYEXPR_ANYWHERE inline void cut_weights(i64 c, i64 cells, i64 degree, const f64* w, const f64* t,
                                        f64* weights) {
    Pair given[most_degree + 1], out[most_degree + 1];
    for (i64 i = 0; i <= degree; ++i) given[i] = Pair{w[i]};
    const i64 count = c + 1 == cells ? degree + 1 : degree;
    restrict_to(given, degree, t[c], t[c + 1], count, out);
    for (i64 i = 0; i < count; ++i) weights[c * degree + i] = out[i].high;
}

// For number i of [cells, entries]: slope z + offset w by the cell's letters; entries from `width` on
// pass. weights: those of the new cells.
PYEXPR_ANYWHERE inline void restrict_outputs(i64 i, i64 cells, i64 degree, const f64* rows,
                                             i64 entries, i64 width, i64 count, const f64* slopes,
                                             const f64* offsets, const u64* letters,
                                             const i64* parent, const f64* start, const f64* stop,
                                             const f64* weights, f64* hidden) {
    const i64 c = i / entries, q = i % entries, words = (width + 63) / 64;
    const i64 n = c + 1 == cells ? degree + 1 : degree;
    f64 given[most_degree + 1], part[most_degree + 1];
    for (i64 j = 0; j <= degree; ++j) given[j] = rows[(parent[c] * degree + j) * entries + q];
    const bool whole = start[c] == 0 && stop[c] == 1;
    if (!whole) restrict_to(given, degree, start[c], stop[c], n, part);
    i64 piece = 0;
    if (q < width)
        for (i64 k = 0; k < count; ++k)
            piece += static_cast<i64>(letters[(c * count + k) * words + q / 64] >> (q % 64) & 1);
    const f64 slope = q < width ? slopes[piece * width + q] : 1;
    const f64 offset = q < width ? offsets[piece * width + q] : 0;
    for (i64 j = 0; j < n; ++j) {
        const i64 r = c * degree + j;
        hidden[r * entries + q] = slope * (whole ? given[j] : part[j]) + offset * weights[r];
    }
}

// eps of cell c's rows, and what of it is `local`, from those of the old cell: whose errors grow by at
// most `gain` (the map's norm) and `rounding_gain` (that of its row norms), times the Lipschitz
// constant. `displacement`: of the new vertices.
PYEXPR_ANYWHERE inline void pass_on_curve(i64 c, i64 cells, i64 degree, const i64* parent,
                                          const f64* start, const f64* stop, i64 rounds,
                                          f64 lipschitz, f64 offsets, f64 gain, f64 rounding_gain,
                                          const f64* old_eps, const f64* old_rho,
                                          const f64* old_norm, const f64* old_weights,
                                          const f64* displacement, f64* local, f64* eps) {
    const bool whole = start[c] == 0 && stop[c] == 1;
    const f64 roundings = (rounds ? 8 : 0) + (whole ? 0 : 16 * static_cast<f64>(degree));
    f64 inherited = 0, fresh = 0;
    for (i64 r = parent[c] * degree; r <= (parent[c] + 1) * degree; ++r) {
        const f64 passed = gain * old_eps[r] + rounding_gain * old_rho[r];
        inherited = largest(inherited, up(lipschitz * (passed + underflow)));
        const f64 size = lipschitz * rounding_gain * (old_norm[r] + old_eps[r] + old_rho[r]);
        fresh = largest(fresh,
                        up(unit_roundoff * (roundings * size + 8 * offsets * old_weights[r])));
    }
    const i64 last = c + 1 == cells ? degree : degree - 1;
    for (i64 j = 0; j <= last; ++j) {
        const i64 r = c * degree + j;
        const f64 displaced = j == 0 ? displacement[c] : j == degree ? displacement[c + 1] : 0;
        local[r] = up(fresh + displaced + underflow);
        eps[r] = up(inherited + local[r]);
    }
}

// Of row r: its sums in any order, and w's rounding.
PYEXPR_ANYWHERE inline void bound_curve_product(i64 r, i64 terms, const f64* norm, f64* rho) {
    rho[r] = up((gamma(static_cast<size_t>(terms)) + 8 * unit_roundoff) * norm[r]);
}

// Entry i of [rows, outputs].
PYEXPR_ANYWHERE inline void add_bias_times(i64 i, i64 outputs, const f64* bias, const f64* weights,
                                           f64* rows) {
    rows[i] += bias[i % outputs] * weights[i / outputs];
}

// >= |d(w h, w)/du|_2 of the level's outputs on old cell c and its parts, from that of its inputs or
// from `steps`, the norms of its rows' differences. of_w: what is added by offsets and by w.
PYEXPR_ANYWHERE inline void bound_speed(i64 c, i64 degree, const f64* t, const f64* tau,
                                        const f64* old_speeds, const f64* alpha, const f64* steps,
                                        f64 lipschitz, f64 gain, f64 rounding_gain, f64 of_w,
                                        f64* speeds) {
    const f64 length = t[c + 1] - t[c], d = static_cast<f64>(degree);
    speeds[c] = up(lipschitz * gain * old_speeds[c] + of_w + underflow);
    if (!(length > 0)) return;
    f64 step = 0, wrong = 0;
    for (i64 r = c * degree; r < (c + 1) * degree; ++r) step = largest(step, steps[r]);
    for (i64 r = c * degree; r <= (c + 1) * degree; ++r) wrong = largest(wrong, alpha[r]);
    const f64 moved = step * (1 + 0x1p-20) + 2 * rounding_gain * wrong + underflow;
    const f64 beyond = growth_beyond(largest(tau[c], tau[c + 1]) / length, degree - 1);
    speeds[c] = smallest(speeds[c], up(lipschitz * moved * d / length * beyond + of_w));
}

}  // namespace pyexpr::cuda
