// Letters on cells, one bit a threshold and neuron, and where they change.
#pragma once

#include "types.hpp"

namespace pyexpr::cuda {

// For word i of [cells, thresholds, words]: the letters at the cell's left end, and those that change
// on it. Gaps, and cells that are settled elsewhere, have no changes.
PYEXPR_ANYWHERE inline void find_letters(i64 i, i64 row, const i64* piece, const Byte* hard,
                                         const u64* positive, u64* left, u64* crossing,
                                         i64* events) {
    const i64 c = place(i, row).row;
    left[i] = positive[i];
    crossing[i] = piece[c] == piece[c + 1] && !hard[c] ? positive[i] ^ positive[i + row] : 0;
    events[i] = ones(crossing[i]);
}

// For word i of [cells, thresholds, words]: the letters on all parts of the cell, from left to right.
// Events are in order; each is at a point, which is where one part ends and the next begins.
PYEXPR_ANYWHERE inline void cut_letters(i64 i, i64 words, i64 count, const i64* first_event,
                                        const i64* first_point, const i64* neuron,
                                        const i64* threshold, const i64* point, const u64* left,
                                        u64* letters) {
    const i64 row = words * count, c = i / row, w = i % words, k = i / words % count;
    i64 part = c + first_point[c];
    u64 word = left[i];
    for (i64 e = first_event[c]; e < first_event[c + 1]; ++e) {
        for (; part < c + 1 + point[e]; ++part) letters[part * row + i % row] = word;
        if (threshold[e] == k && neuron[e] / 64 == w) word ^= u64{1} << (neuron[e] % 64);
    }
    letters[part * row + i % row] = word;
}

// Counts the letters that change between the cell before and word i of [cells, thresholds, words],
// if both are of one piece: of neurons that are zero all along a cell. `before`: the letters where
// the cell before the first one ends, if there is one.
PYEXPR_ANYWHERE inline void count_changes(i64 i, i64 words, i64 count, const i64* piece,
                                          const u64* left, const u64* crossing, const u64* before,
                                          i64 columns, i64 first_column, i64 step, i64* counts) {
    const i64 row = words * count, c = i / row;
    if (piece[c] != piece[c + 1] || (c == 0 ? !before : piece[c - 1] != piece[c])) return;
    u64 changes = left[i] ^ (c == 0 ? before[i] : left[i - row] ^ crossing[i - row]);
    for (; changes != 0; changes &= changes - 1) {
        const i64 q = i % words * 64 + lowest(changes);
        count_one(counts + piece[c] * columns + first_column + q * step);
    }
}

}  // namespace pyexpr::cuda
