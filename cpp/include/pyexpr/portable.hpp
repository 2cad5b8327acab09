// What host compilers, nvcc and NVRTC all take: arithmetic that the host and a GPU share.
#pragma once

#ifdef __CUDACC_RTC__  // has no standard library, and needs none: its functions are built in
#define PYEXPR_ANYWHERE __device__
#else
#include <cmath>
#include <cstddef>
#ifdef __CUDACC__
#define PYEXPR_ANYWHERE __host__ __device__
#else
#define PYEXPR_ANYWHERE
#endif
#endif

namespace pyexpr {

PYEXPR_ANYWHERE inline double infinity() {
#ifdef __CUDACC_RTC__
    return __longlong_as_double(0x7ff0000000000000);
#else
    return HUGE_VAL;
#endif
}

PYEXPR_ANYWHERE inline double largest(double x, double y) { return x < y ? y : x; }
PYEXPR_ANYWHERE inline double smallest(double x, double y) { return y < x ? y : x; }

}  // namespace pyexpr
