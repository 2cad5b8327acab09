// Where neurons cross their thresholds inside cells, and whether that is in a proved order.
#pragma once

#include "pyexpr/rounding.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// The events of word i of [cells, thresholds, words], from number first[i] on: t with its error tau,
// and what phi being evaluated on the other piece there adds to the vertex's eps. `lows`: low parts
// of the rows, or none.
PYEXPR_ANYWHERE inline void locate(i64 i, const u64* crossing, const i64* first, const f64* rows,
                                   const f64* lows, i64 entries, i64 width, i64 count,
                                   const f64* thresholds, const i64* piece, i64 pieces_of_network,
                                   const f64* scale, f64 lipschitz, const f64* t, const f64* tau,
                                   const f64* alpha, i64* event_cell, i64* event_neuron,
                                   i64* event_threshold, f64* event_t, f64* event_tau,
                                   f64* displacement) {
    const i64 words = (width + 63) / 64, c = i / (words * count), k = i / words % count;
    const f64 *from = rows + c * entries, *to = from + entries;
    const f64* unit = scale + piece[c] / pieces_of_network * entries;
    const f64 length = t[c + 1] - t[c];
    i64 e = first[i];
    for (u64 word = crossing[i]; word != 0; word &= word - 1, ++e) {
        const i64 q = i % words * 64 + lowest(word);
        f64 a = from[q] - thresholds[k], b = to[q] - thresholds[k];
        if (lows) {
            a += lows[c * entries + q];
            b += lows[(c + 1) * entries + q];
        }
        const f64 error_a = unit[q] * alpha[c] + underflow;
        const f64 error_b = unit[q] * alpha[c + 1] + underflow;
        const f64 change = ::fabs(a - b);
        f64 at = t[c], error = up(length + tau[c] + tau[c + 1]), miss = up(::fabs(a));
        if (length > 0) {
            at = smallest(largest(t[c] + a / (a - b) * length, t[c]), t[c + 1]);
            miss = up(8 * unit_roundoff * change +
                      (unit_roundoff * t[c + 1] + underflow) * up(change / length));
            // The true breakpoint lies in the true cell; where the slope is sure, close to t.
            const f64 sure = change * (1 - 0x1p-20) - 2 * (error_a + error_b);
            if (sure > 0)
                error = smallest(error, up((largest(error_a, error_b) + miss) / sure * length +
                                           underflow));
        }
        event_cell[e] = c;
        event_neuron[e] = q;
        event_threshold[e] = k;
        event_t[e] = at;
        event_tau[e] = error;
        displacement[e] = up(2 * lipschitz * miss);
    }
}

// Marks the cell of event i if it is not surely before the next one of the cell; else, how far.
PYEXPR_ANYWHERE inline void mark_close(i64 i, const i64* cell, const f64* t, const f64* tau,
                                       Byte* hard, f64* gap) {
    gap[i] = infinity();
    if (cell[i] != cell[i + 1]) return;
    if (t[i] + tau[i] < t[i + 1] - tau[i + 1])
        gap[i] = t[i + 1] - t[i];
    else
        hard[cell[i]] = 1;
}

// Of event i.
PYEXPR_ANYWHERE inline void count_event(i64 i, const i64* cell, const i64* neuron, const i64* piece,
                                        i64 columns, i64 first_column, i64 step, i64* counts) {
    count_one(counts + piece[cell[i]] * columns + first_column + neuron[i] * step);
}

}  // namespace pyexpr::cuda
