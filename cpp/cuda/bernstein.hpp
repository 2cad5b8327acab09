// Polynomials in the Bernstein basis of [0, 1], of small degree, by convex combinations of their
// coefficients: never larger, and rounded by at most 5 u of the largest, in every step.
#pragma once

#include "pyexpr/pair.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

constexpr i64 most_degree = 10;

PYEXPR_ANYWHERE inline f64 mix(f64 a, f64 b, f64 s) { return a + s * (b - a); }
// Of positive numbers nothing cancels, so that only u^2 relative to the result is lost.
PYEXPR_ANYWHERE inline Pair mix(const Pair& a, const Pair& b, f64 s) {
    return (Pair{1} - Pair{s}) * a + Pair{s} * b;
}

// The first `count` coefficients on [a, b] within [0, 1], floats that are taken as they are:
// coefficient j is the polynomial's blossom at a, degree - j times, and at b, j times.
template <class Number>
PYEXPR_ANYWHERE inline void restrict_to(const Number* f, i64 degree, f64 a, f64 b, i64 count,
                                        Number* out) {
    Number at_a[most_degree + 1], at_both[most_degree + 1];
    for (i64 i = 0; i <= degree; ++i) at_a[i] = f[i];
    for (i64 j = degree; j >= 0; --j) {
        if (j < count) {
            for (i64 i = 0; i <= j; ++i) at_both[i] = at_a[i];
            for (i64 n = j; n > 0; --n)
                for (i64 i = 0; i < n; ++i) at_both[i] = mix(at_both[i], at_both[i + 1], b);
            out[j] = at_both[0];
        }
        for (i64 i = 0; i < j; ++i) at_a[i] = mix(at_a[i], at_a[i + 1], a);
    }
}

// The value and the derivative at s.
struct Jet {
    f64 value, slope;
};

PYEXPR_ANYWHERE inline Jet evaluate(const f64* f, i64 degree, f64 s) {
    f64 g[most_degree + 1];
    for (i64 i = 0; i <= degree; ++i) g[i] = f[i];
    for (i64 n = degree; n > 1; --n)
        for (i64 i = 0; i < n; ++i) g[i] = mix(g[i], g[i + 1], s);
    const f64 step = g[1] - g[0];
    return {g[0] + s * step, static_cast<f64>(degree) * step};
}

PYEXPR_ANYWHERE inline f64 largest_size(const f64* f, i64 degree) {
    f64 size = 0;
    for (i64 i = 0; i <= degree; ++i) size = largest(size, ::fabs(f[i]));
    return size;
}

PYEXPR_ANYWHERE inline f64 largest_step(const f64* f, i64 degree) {
    f64 step = 0;
    for (i64 i = 0; i < degree; ++i) step = largest(step, ::fabs(f[i + 1] - f[i]));
    return step;
}

// >= what a polynomial on [0, 1] grows by beyond its ends, up to this distance.
PYEXPR_ANYWHERE inline f64 growth_beyond(f64 distance, i64 degree) {
    f64 growth = 1 + 0x1p-20;
    for (i64 i = 0; i < degree; ++i) growth *= 1 + 2 * distance;
    return growth;
}

}  // namespace pyexpr::cuda
