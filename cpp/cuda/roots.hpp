// The real roots of a polynomial that is known up to an error, as far as few halvings tell.
#pragma once

#include "bernstein.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr::cuda {

constexpr i64 most_open = 20, most_parts = 96;

// |s - true| <= error; in [low, high] the polynomial is monotone and has this root alone.
struct Root {
    f64 s, error, low, high;
};

// Of monotone coefficients with different signs at 0 and 1, about.
PYEXPR_ANYWHERE inline f64 find_root(const f64* f, i64 degree) {
    const f64 a = f[0], b = f[degree];
    if (degree == 1) return a / (a - b);
    if (degree == 2) {
        // Of the two forms of a quadratic's root, the one in which nothing cancels.
        const f64 half = f[1] - a, curve = (a - f[1]) - (f[1] - b);
        const f64 root = ::sqrt(largest(0, half * half - curve * a));
        return smallest(largest(-a / (half + (b > a ? root : -root)), 0), 1);
    }
    f64 low = 0, high = 1, s = a / (a - b);
    for (i64 i = 0; i < 64 && low < high; ++i) {
        const Jet at = evaluate(f, degree, s);
        if (at.value == 0) break;
        ((at.value > 0) == (a > 0) ? low : high) = s;
        f64 next = s - at.value / at.slope;
        if (!(next > low && next < high)) next = low + (high - low) / 2;
        if (::fabs(next - s) <= unit_roundoff * s) break;
        s = next;
    }
    return s;
}

// The only root on [low, high], of which these are the coefficients, by the mean value theorem;
// false where the slope may change too much near it.
PYEXPR_ANYWHERE inline bool locate_root(const f64* f, i64 degree, f64 error, f64 low, f64 high,
                                        Root& out) {
    const f64 d = static_cast<f64>(degree), s = find_root(f, degree);
    if (!(s >= 0 && s <= 1)) return false;
    const Jet at = evaluate(f, degree, s);
    f64 bend = 0;  // |second derivative|
    for (i64 i = 0; i + 2 <= degree; ++i)
        bend = largest(bend, ::fabs((f[i + 2] - f[i + 1]) - (f[i + 1] - f[i])));
    bend = d * (d - 1) * (bend + 4 * error);
    const f64 miss = ::fabs(at.value) + 2 * error;
    const f64 steep = ::fabs(at.slope) * (1 - 0x1p-20) - 4 * d * error;
    if (!(steep > 0)) return false;
    const f64 near = up(2 * miss / steep), sure = steep - up(near * bend);
    if (!(sure >= steep / 2)) return false;
    const f64 width = high - low, end_error = 8 * unit_roundoff;
    out.s = low + s * width;
    out.error = up(miss / sure * width + end_error);
    out.low = low > 0 ? low + end_error : 0;  // 0 and 1 are where they are
    out.high = high < 1 ? high - end_error : 1;
    return true;
}

// Whether all steps surely have one sign.
PYEXPR_ANYWHERE inline bool is_monotone(const f64* f, i64 degree, f64 error) {
    f64 least = f[1] - f[0], most = least;
    for (i64 i = 1; i < degree; ++i) {
        least = smallest(least, f[i + 1] - f[i]);
        most = largest(most, f[i + 1] - f[i]);
    }
    return least > 4 * error || most < -4 * error;
}

// The roots in (0, 1), in order, of every polynomial whose coefficients differ from f's by at most
// `error`: how many, all simple, or -1 where that is not certain. `roots` takes `degree`.
PYEXPR_ANYWHERE inline i64 isolate_roots(const f64* f, i64 degree, f64 error, Root* roots) {
    // Restricting and evaluating lose less than the first, always from f itself.
    const f64 size = largest_size(f, degree);
    if (!(size < 0x1p1000)) return -1;  // differences may overflow
    const f64 rounding = 8 * static_cast<f64>(degree) * unit_roundoff * size + underflow;
    const f64 wrong = up(error + rounding), sure = up(error + 2 * rounding);
    if (!(::fabs(f[0]) > sure && ::fabs(f[degree]) > sure)) return -1;
    f64 low = 0, ends[most_open], part[most_degree + 1];
    i64 open = 1, count = 0;  // parts left are [low, ends[open - 1]], and so on to ends[0]
    ends[0] = 1;
    for (i64 parts = 0; parts < most_parts; ++parts) {
        const f64 high = ends[open - 1];
        restrict_to(f, degree, low, high, degree + 1, part);
        f64 least = part[0], most = part[0];
        for (i64 i = 1; i <= degree; ++i) {
            least = smallest(least, part[i]);
            most = largest(most, part[i]);
        }
        bool done = least > wrong || most < -wrong;
        if (!done && is_monotone(part, degree, wrong)) {
            done = (part[0] > 0) == (part[degree] > 0);
            if (!done && count < degree &&
                locate_root(part, degree, wrong, low, high, roots[count])) {
                done = true;
                ++count;
            }
        }
        if (done) {
            low = high;
            if (--open == 0) return count;
            continue;
        }
        if (open == most_open) return -1;
        for (i64 n = 0; n < 5; ++n) {  // 1/2, 7/16, 9/16, 3/8, 5/8: where the sign is sure
            const f64 s = 0.5 + (n % 2 ? -0.0625 : 0.0625) * static_cast<f64>((n + 1) / 2);
            const f64 middle = low + s * (high - low);
            if (!(::fabs(evaluate(f, degree, middle).value) > sure)) continue;
            ends[open++] = middle;
            break;
        }
        if (ends[open - 1] == high) return -1;
    }
    return -1;
}

}  // namespace pyexpr::cuda
