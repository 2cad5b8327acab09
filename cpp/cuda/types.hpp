// What kernels are made of. A kernel is a function of the number of a thread: it runs once for each
// number below some count, in any order, on a GPU or on the host.
#pragma once

#include "pyexpr/portable.hpp"

#if !defined(__CUDA_ARCH__)
#include <atomic>
#include <bit>
#endif

namespace pyexpr::cuda {

// All arguments have eight bytes: see kernel.hpp.
using i64 = long long;
using u64 = unsigned long long;
using f64 = double;
using Byte = unsigned char;

PYEXPR_ANYWHERE inline i64 ones(u64 word) {
#ifdef __CUDA_ARCH__
    return __popcll(word);
#else
    return std::popcount(word);
#endif
}

// Of a word that is not zero, the number of its lowest bit.
PYEXPR_ANYWHERE inline i64 lowest(u64 word) {
#ifdef __CUDA_ARCH__
    return __ffsll(static_cast<i64>(word)) - 1;
#else
    return std::countr_zero(word);
#endif
}

// Threads may do so at once.
PYEXPR_ANYWHERE inline void count_one(i64* counter) {
#ifdef __CUDA_ARCH__
    atomicAdd(reinterpret_cast<u64*>(counter), u64{1});
#else
    std::atomic_ref(*counter).fetch_add(1, std::memory_order_relaxed);
#endif
}

}  // namespace pyexpr::cuda
