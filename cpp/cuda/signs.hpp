// The filter's question at every vertex of a run: on which side of its thresholds each neuron is.
#pragma once

#include "pyexpr/rounding.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// For a vertex: z - threshold is proved where it exceeds scale absolute + |z at other - z| relative.
// Pre-activations move by slope tau between a vertex's float and its true place. The slope is read
// off the longer neighbouring cell, or bounded by the curve's speed where that cell is too short.
PYEXPR_ANYWHERE inline void margins(i64 v, i64 vertices, const f64* t, const f64* tau,
                                    const i64* piece, i64 pieces_of_network, const f64* speed,
                                    const f64* alpha, i64* other, f64* absolute, f64* relative) {
    other[v] = v;
    relative[v] = 0;
    absolute[v] = up(alpha[v]);
    if (tau[v] == 0) return;
    const bool has_before = v > 0 && piece[v - 1] == piece[v];
    const bool has_after = v + 1 < vertices && piece[v + 1] == piece[v];
    const f64 before = has_before ? t[v] - t[v - 1] : 0, after = has_after ? t[v + 1] - t[v] : 0;
    const f64 length = largest(before, after),
              fastest = speed[place(piece[v], pieces_of_network).row];
    const i64 end = before > after ? v - 1 : v + 1;
    const f64 both = length > 0 ? alpha[v] + alpha[end] : 0;
    if (!(length > 0) || both > fastest * length) {
        absolute[v] = up(alpha[v] + fastest * tau[v]);
        return;
    }
    other[v] = end;
    relative[v] = up(tau[v] / length);
    absolute[v] = up(alpha[v] + both * (tau[v] / length));
}

// What is known of a sign: nothing but that z is not above the threshold, or these bits.
enum Sign : Byte { above = 1, open = 2 };

// For neuron i of [vertices, thresholds, width]: its sign, and for the vertex the smallest
// |z - threshold| / (scale norm) of those that are proved, or -1 where a z is not finite. `entries` is
// the length of a row; scale: [networks, entries].
PYEXPR_ANYWHERE inline void find_signs(i64 i, const f64* rows, i64 entries, i64 width, i64 count,
                                       const f64* thresholds, const i64* piece,
                                       i64 pieces_of_network, const f64* scale, const f64* norm,
                                       const i64* other, const f64* absolute, const f64* relative,
                                       Byte* signs, f64* gap) {
    const Place neuron = place(i, width), vertex = place(neuron.row, count);
    const i64 q = neuron.entry, v = vertex.row;
    const f64 z = rows[v * entries + q], d = z - thresholds[vertex.entry];
    const f64 unit = scale[place(piece[v], pieces_of_network).row * entries + q];
    const f64 step = relative[v] == 0 ? 0 : ::fabs(rows[other[v] * entries + q] - z) * relative[v];
    const f64 bound = unit * absolute[v] + step + underflow;
    const bool decided = ::fabs(d) > bound;
    signs[i] = static_cast<Byte>((d > bound ? Sign::above : 0) | (decided ? 0 : Sign::open));
    if (z * 0 != 0)
        lower(gap + v, -1);
    else if (decided)
        lower(gap + v, ::fabs(d) / unit / norm[v]);
}

// Word i of [vertices, thresholds, words]: neurons above the threshold, and of which nothing is known.
PYEXPR_ANYWHERE inline void pack_signs(i64 i, i64 width, const Byte* signs, u64* positive,
                                       u64* unsure) {
    const Place word = place(i, (width + 63) / 64);
    const i64 first = 64 * word.entry, end = first + 64 < width ? first + 64 : width;
    const Byte* row = signs + word.row * width;
    u64 is_above = 0, is_open = 0;
    for (i64 q = first; q < end; ++q) {
        is_above |= u64{(row[q] & Sign::above) != 0} << (q - first);
        is_open |= u64{(row[q] & Sign::open) != 0} << (q - first);
    }
    positive[i] = is_above;
    unsure[i] = is_open;
}

// Marks the cells on both sides of a vertex of which something is not proved.
PYEXPR_ANYWHERE inline void mark_unsure(i64 i, i64 row, i64 vertices, const u64* unsure,
                                        Byte* hard) {
    if (unsure[i] == 0) return;
    const i64 v = place(i, row).row;
    if (v > 0) hard[v - 1] = 1;
    if (v + 1 < vertices) hard[v] = 1;
}

}  // namespace pyexpr::cuda
