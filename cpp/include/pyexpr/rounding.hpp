// Upward rounded bounds: the only place where the filter's constants are written.
#pragma once

#include "pyexpr/portable.hpp"

#ifndef __CUDACC_RTC__
#include <cfloat>
#include <limits>
#endif

namespace pyexpr {

#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "the bounds are proved for operations in the order written: compile without -ffast-math"
#endif

#ifndef __CUDACC_RTC__
static_assert(std::numeric_limits<double>::is_iec559 && FLT_EVAL_METHOD == 0,
              "the bounds are proved for IEEE 754 doubles, each operation rounded to one");
#endif

inline constexpr double unit_roundoff = 0x1p-53;

// What all underflows of one row add at most, also where denormals are flushed to zero.
inline constexpr double underflow = 0x1p-990;

// Every bound is a sum of products of non-negative doubles. Fewer than 2^20 roundings lose less
// than 2^-32 of it, which this factor gives back. A bound that is no number bounds nothing.
PYEXPR_ANYWHERE inline double up(double bound) {
    return bound == bound ? bound * (1 + 0x1p-30) : infinity();
}

// k u / (1 - k u): the relative error of a sum of k products in any order, fused or not.
PYEXPR_ANYWHERE inline double gamma(size_t k) {
    const double ku = static_cast<double>(k) * unit_roundoff;
    return up(ku / (1 - ku));
}

// The same for a compensated sum of k products and a constant, kept as high + low: each of its
// terms leaves an error of at most u times the partial sum, collected in the low part with a
// relative error of (k + 8) u.
PYEXPR_ANYWHERE inline double compensated(size_t k) {
    const double terms = static_cast<double>(k) + 8;
    return up(terms * terms * unit_roundoff * unit_roundoff);
}

}  // namespace pyexpr
