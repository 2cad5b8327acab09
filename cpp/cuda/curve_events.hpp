// Where neurons cross their thresholds inside a curve's cells, as far as bounds prove it.
#pragma once

#include "pyexpr/rounding.hpp"
#include "roots.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// Candidate e: the letter at its cell's left end, and the roots on the cell, at places e degree,
// e degree + 1, ... of the arrays behind. Each is the only one in [low, high], and `displacement` is
// how far the outputs on its two sides are apart at its float. Where that is not certain the cell is
// hard.
PYEXPR_ANYWHERE inline void isolate(i64 e, const i64* cells, const i64* neuron,
                                    const i64* threshold, i64 degree, const f64* rows, i64 entries,
                                    const f64* thresholds, const f64* weights, const f64* scale,
                                    f64 lipschitz, const f64* t, const f64* tau, const f64* speeds,
                                    const f64* cell_alpha, const f64* cell_norm, Byte* letter,
                                    i64* roots, Byte* hard, f64* root_t, f64* root_tau,
                                    f64* root_low, f64* root_high, f64* displacement) {
    const i64 c = cells[e], q = neuron[e];
    const f64 theta = thresholds[threshold[e]], from = t[c], to = t[c + 1];
    const f64 length = to - from, d = static_cast<f64>(degree);
    f64 f[most_degree + 1], size = 0;
    for (i64 i = 0; i <= degree; ++i) {
        const i64 r = c * degree + i;
        const f64 z = rows[r * entries + q], of_w = theta * weights[r];
        f[i] = z - of_w;
        size = largest(size, ::fabs(z) + ::fabs(of_w));
    }
    letter[e] = f[0] > 0;
    roots[e] = 0;
    // How far the neuron moves between an end's float and its true place.
    const f64 error = up(scale[q] * cell_alpha[c] +
                         ::fabs(theta) * 8 * unit_roundoff * cell_norm[c] + underflow);
    const f64 own = (largest_step(f, degree) + 2 * error) * d / length *
                    growth_beyond(largest(tau[c], tau[c + 1]) / length, degree - 1);
    const f64 any = (scale[q] + ::fabs(theta)) * speeds[c];
    const f64 slope = length > 0 && own < any ? own : any;
    const f64 at_start = up(error + slope * tau[c]), at_end = up(error + slope * tau[c + 1]);
    f64 least = f[0], most = f[0];
    for (i64 i = 1; i <= degree; ++i) {
        least = smallest(least, f[i]);
        most = largest(most, f[i]);
    }
    const f64 everywhere = largest(at_start, at_end);
    if (least > everywhere || most < -everywhere) return;

    Root found[most_degree];
    const bool sure = length > 0 && ::fabs(f[0]) > at_start && ::fabs(f[degree]) > at_end;
    const i64 count = sure ? isolate_roots(f, degree, error, found) : -1;
    if (count < 0) hard[c] = 1;
    const f64 rounding = 8 * unit_roundoff;  // of t
    for (i64 i = 0; i < count; ++i) {
        const Root& root = found[i];
        const i64 at = e * degree + i;
        const f64 place = smallest(largest(from + root.s * length, from), to);
        const f64 off = up(root.error * length + rounding);
        // No root lies between a cell's true end and its float.
        const bool cut_low = root.low > 0, cut_high = root.high < 1;
        const f64 lowest_t = from + root.low * length + rounding;
        const f64 highest_t = from + root.high * length - rounding;
        if ((cut_low && place - off <= lowest_t) || (cut_high && place + off >= highest_t))
            hard[c] = 1;
        root_t[at] = place;
        root_tau[at] = off;
        root_low[at] = cut_low ? place - off : largest(place - off, from);
        root_high[at] = cut_high ? place + off : smallest(place + off, to);
        const f64 value = evaluate(f, degree, smallest((place - from) / length, 1)).value;
        displacement[at] = up(2 * lipschitz * (::fabs(value) + 16 * d * unit_roundoff * size));
        roots[e] = i + 1;
    }
}

}  // namespace pyexpr::cuda
