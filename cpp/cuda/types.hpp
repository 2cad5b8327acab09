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

// Which row of so many entries number i is in, and which entry of it that is. GPUs divide 64 bits
// slowly.
struct Place {
    i64 row, entry;
};
PYEXPR_ANYWHERE inline Place place(i64 i, i64 entries) {
#ifdef __CUDA_ARCH__
    if (((i | entries) >> 32) == 0) {
        const auto small = static_cast<unsigned>(i), row = small / static_cast<unsigned>(entries);
        return {row, small - row * static_cast<unsigned>(entries)};
    }
#endif
    return {i / entries, i % entries};
}

// Makes a number that is no more than infinity smaller; threads may do so at once. The bits of
// floats, of which at most the new one is negative, are in order like integers.
PYEXPR_ANYWHERE inline void lower(f64* number, f64 value) {
#ifdef __CUDA_ARCH__
    if (value < *number) atomicMin(reinterpret_cast<i64*>(number), __double_as_longlong(value));
#else
    std::atomic_ref at(*number);
    f64 before = at.load(std::memory_order_relaxed);
    while (value < before && !at.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
    }
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
