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
    const f64 length = largest(before, after), fastest = speed[piece[v] / pieces_of_network];
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

// For word i of [vertices, thresholds, words]: its neurons that are surely above the threshold, and
// those of which nothing is proved; and the smallest |z - threshold| / (scale norm) of the others, or
// -1 where a z is not finite. `entries` is the length of a row, of `width` neurons; scale: [networks,
// entries].
PYEXPR_ANYWHERE inline void signs(i64 i, const f64* rows, i64 entries, i64 width, i64 count,
                                  const f64* thresholds, const i64* piece, i64 pieces_of_network,
                                  const f64* scale, const f64* norm, const i64* other,
                                  const f64* absolute, const f64* relative, u64* positive,
                                  u64* unsure, f64* gap) {
    const i64 words = (width + 63) / 64, w = i % words, v = i / (words * count);
    const f64 threshold = thresholds[i / words % count];
    const f64 *z = rows + v * entries, *there = rows + other[v] * entries;
    const f64* unit = scale + piece[v] / pieces_of_network * entries;
    u64 above = 0, open = 0;
    f64 closest = infinity(), finite = 0;
    const i64 end = 64 * w + 64 < width ? 64 * w + 64 : width;
    for (i64 q = 64 * w; q < end; ++q) {
        const f64 d = z[q] - threshold;
        const f64 bound = unit[q] * absolute[v] + ::fabs(there[q] - z[q]) * relative[v] + underflow;
        const bool decided = ::fabs(d) > bound;
        above |= u64{d > bound} << (q - 64 * w);
        open |= u64{!decided} << (q - 64 * w);
        if (decided && ::fabs(d) < closest * unit[q]) closest = ::fabs(d) / unit[q];
        finite += z[q] * 0;
    }
    positive[i] = above;
    unsure[i] = open;
    gap[i] = finite == 0 ? closest / norm[v] : -1;
}

// Marks the cells on both sides of a vertex of which something is not proved.
PYEXPR_ANYWHERE inline void mark_unsure(i64 i, i64 row, i64 vertices, const u64* unsure,
                                        Byte* hard) {
    if (unsure[i] == 0) return;
    const i64 v = i / row;
    if (v > 0) hard[v - 1] = 1;
    if (v + 1 < vertices) hard[v] = 1;
}

}  // namespace pyexpr::cuda
