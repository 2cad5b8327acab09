// The kernels as a GPU runs them: a thread takes every so manieth number.
#pragma once

#include "kernels.hpp"

#define PYEXPR_GLOBAL(name)                                                                    \
    extern "C" __global__ void pyexpr_##name(                                                  \
        pyexpr::cuda::Arguments<decltype(&pyexpr::cuda::name)> arguments,                      \
        pyexpr::cuda::i64 count) {                                                             \
        const pyexpr::cuda::i64 step = static_cast<pyexpr::cuda::i64>(gridDim.x) * blockDim.x; \
        pyexpr::cuda::i64 i = static_cast<pyexpr::cuda::i64>(blockIdx.x) * blockDim.x +        \
                              threadIdx.x;                                                     \
        for (; i < count; i += step) pyexpr::cuda::call(&pyexpr::cuda::name, i, arguments);    \
    }

PYEXPR_FOR_EACH_KERNEL(PYEXPR_GLOBAL)
