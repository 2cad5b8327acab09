// Whether the outputs' slope surely changes at a breakpoint.
#pragma once

#include "pyexpr/rounding.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

enum class Bend : Byte { none, sure, unsure };

// At vertex i + 1, between cells i and i + 1, and how far apart the slopes are, relative to the
// larger. Nothing bends where one of these is no cell. A curve's slope at an end of a cell is the
// degree times the first or last step of its coefficients, over the cell's length.
PYEXPR_ANYWHERE inline void compare_slopes(i64 i, i64 degree, i64 outputs, const f64* rows,
                                           const f64* t, const i64* piece, i64 pieces_of_network,
                                           const f64* scale, const f64* alpha, Byte* bends,
                                           f64* gap) {
    bends[i] = static_cast<Byte>(Bend::none);
    gap[i] = infinity();
    if (piece[i] != piece[i + 1] || piece[i + 1] != piece[i + 2]) return;
    const f64* unit = scale + place(piece[i], pieces_of_network).row * outputs;
    const f64 before = (t[i + 1] - t[i]) / static_cast<f64>(degree);
    const f64 after = (t[i + 2] - t[i + 1]) / static_cast<f64>(degree);
    const i64 here = (i + 1) * degree;
    bends[i] = static_cast<Byte>(Bend::unsure);
    if (!(before > 0) || !(after > 0)) return;
    for (i64 q = 0; q < outputs; ++q) {
        const f64 x = rows[(here - 1) * outputs + q], y = rows[here * outputs + q];
        const f64 z = rows[(here + 1) * outputs + q];
        const f64 left = (y - x) / before, right = (z - y) / after, change = ::fabs(left - right);
        const f64 error_left = up((unit[q] * (alpha[here - 1] + alpha[here]) +
                                   8 * unit_roundoff * (::fabs(x) + ::fabs(y)) + underflow) /
                                  before);
        const f64 error_right = up((unit[q] * (alpha[here] + alpha[here + 1]) +
                                    8 * unit_roundoff * (::fabs(y) + ::fabs(z)) + underflow) /
                                   after);
        if (change > up(error_left + error_right) && change < infinity()) {
            bends[i] = static_cast<Byte>(Bend::sure);
            gap[i] = change / largest(::fabs(left), ::fabs(right));
            return;
        }
    }
}

// Adds to how many letters two cells of [cells, words] differ in.
PYEXPR_ANYWHERE inline void count_differences(i64 i, i64 words, const u64* letters, const i64* left,
                                              const i64* right, i64* counts) {
    const u64 *a = letters + left[i] * words, *b = letters + right[i] * words;
    for (i64 w = 0; w < words; ++w) counts[i] += ones(a[w] ^ b[w]);
}

// Entry i of [rows, entries]: a sensitivity to what neurons make, times their slopes on a cell.
PYEXPR_ANYWHERE inline void scale_by_slopes(i64 i, i64 entries, i64 width, i64 count,
                                            const f64* slopes, const u64* letters, const i64* cell,
                                            const f64* value, f64* scaled) {
    const auto [row, q] = place(i, entries);
    const i64 words = (width + 63) / 64;
    i64 piece = 0;
    if (q < width)
        for (i64 k = 0; k < count; ++k)
            piece += letters[(cell[row] * count + k) * words + q / 64] >> (q % 64) & 1;
    scaled[i] = q < width ? slopes[piece * width + q] * value[i] : value[i];
}

// Of boundary i, at vertex i + 1.
PYEXPR_ANYWHERE inline void count_bend(i64 i, const Byte* bends, const i64* piece, i64* counts) {
    if (bends[i] == static_cast<Byte>(Bend::sure)) count_one(counts + piece[i + 1]);
}

}  // namespace pyexpr::cuda
