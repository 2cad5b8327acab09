// Letters of neurons all along the cells of a curve, of which a row is a coefficient.
#pragma once

#include "pyexpr/rounding.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// For a cell: what its coefficients are wrong by, and what they must exceed on the true cell: scale
// absolute + |threshold| of_w.
PYEXPR_ANYWHERE inline void cell_margins(i64 c, i64 degree, const f64* tau, const f64* speeds,
                                         const f64* eps, const f64* rho, const f64* norm,
                                         f64* cell_alpha, f64* cell_norm, f64* absolute,
                                         f64* of_w) {
    f64 most_eps = 0, most_rho = 0, most_norm = 0;
    for (i64 r = c * degree; r <= (c + 1) * degree; ++r) {
        most_eps = largest(most_eps, eps[r]);
        most_rho = largest(most_rho, rho[r]);
        most_norm = largest(most_norm, norm[r]);
    }
    const f64 reach = speeds[c] * largest(tau[c], tau[c + 1]);
    cell_alpha[c] = most_eps + most_rho;
    cell_norm[c] = most_norm;
    absolute[c] = up(most_eps + most_rho + reach);
    of_w[c] = up(8 * unit_roundoff * most_norm + reach);
}

// For word i of [cells, thresholds, words]: neurons that are surely above the threshold on all of
// the cell, and those of which nothing is proved; their number; and the smallest |z - threshold w| /
// (scale norm) of the others, or -1 where a z is not finite.
PYEXPR_ANYWHERE inline void cell_signs(i64 i, i64 degree, const f64* rows, i64 entries, i64 width,
                                       i64 count, const f64* thresholds, const f64* weights,
                                       const f64* scale, const f64* cell_norm, const f64* absolute,
                                       const f64* of_w, u64* positive, u64* unsure, i64* candidates,
                                       f64* gap) {
    const i64 words = (width + 63) / 64, w = i % words, c = i / (words * count);
    const f64 threshold = thresholds[i / words % count];
    const f64 constant = ::fabs(threshold) * of_w[c] + underflow;
    const i64 end = 64 * w + 64 < width ? 64 * w + 64 : width;
    u64 above = 0, open = 0;
    f64 closest = infinity(), finite = 0;
    for (i64 q = 64 * w; q < end; ++q) {
        f64 least = infinity(), most = -infinity();
        for (i64 r = c * degree; r <= (c + 1) * degree; ++r) {
            const f64 d = rows[r * entries + q] - threshold * weights[r];
            least = smallest(least, d);
            most = largest(most, d);
            finite += d * 0;
        }
        const f64 bound = scale[q] * absolute[c] + constant, size = largest(least, -most);
        above |= u64{least > bound} << (q - 64 * w);
        open |= u64{!(size > bound)} << (q - 64 * w);
        if (size > bound && size < closest * scale[q]) closest = size / scale[q];
    }
    positive[i] = above;
    unsure[i] = open;
    candidates[i] = ones(open);
    gap[i] = finite == 0 ? closest / cell_norm[c] : -1;
}

// Lists what word i of [cells, thresholds, words] leaves open, from number first[i] on.
PYEXPR_ANYWHERE inline void list_candidates(i64 i, const u64* unsure, const i64* first, i64 words,
                                            i64 count, i64* cell, i64* neuron, i64* threshold) {
    i64 e = first[i];
    for (u64 word = unsure[i]; word != 0; word &= word - 1, ++e) {
        cell[e] = i / (words * count);
        neuron[e] = i % words * 64 + lowest(word);
        threshold[e] = i / words % count;
    }
}

// Adds to word i of [cells, thresholds, words] what is known of its candidates: their letters at the
// cell's left end, and of which of them the other end's letter differs.
PYEXPR_ANYWHERE inline void add_letters(i64 i, const u64* unsure, const i64* first,
                                        const Byte* letter, const i64* roots, u64* left,
                                        u64* crossing) {
    i64 e = first[i];
    crossing[i] = 0;
    for (u64 word = unsure[i]; word != 0; word &= word - 1, ++e) {
        const u64 bit = word & ~(word - 1);
        if (letter[e]) left[i] |= bit;
        if (roots[e] % 2) crossing[i] |= bit;
    }
}

// Of vertex v inside a run: how far the outputs on both sides are apart at its float, where a neuron
// switches that does so a little beside it.
PYEXPR_ANYWHERE inline void displace_ends(i64 v, i64 cells, i64 degree, const f64* rows,
                                          i64 entries, i64 width, i64 count, const f64* thresholds,
                                          const f64* weights, f64 lipschitz, const u64* left,
                                          const u64* crossing, f64* displacement) {
    displacement[v] = 0;
    if (v == 0 || v == cells) return;
    const i64 words = (width + 63) / 64, row = words * count;
    const f64* z = rows + v * degree * entries;
    f64 sum = 0;
    for (i64 i = 0; i < row; ++i) {
        const f64 of_w = thresholds[i / words] * weights[v * degree];
        const i64 before = (v - 1) * row + i;
        for (u64 word = left[before] ^ crossing[before] ^ left[v * row + i]; word != 0;
             word &= word - 1) {
            const f64 value = z[i % words * 64 + lowest(word)];
            sum += ::fabs(value - of_w) + 8 * unit_roundoff * (::fabs(value) + ::fabs(of_w));
        }
    }
    displacement[v] = up(2 * lipschitz * sum);
}

}  // namespace pyexpr::cuda
