// All kernels on the host and on a GPU, side by side.
#pragma once

#include "types.hpp"

namespace pyexpr::bench {

// Prints one JSON line a kernel, on runs of so many vertices and neurons; why there is none for the
// GPU to standard error. Returns whether all that both ran is the same to the last bit.
bool compare_kernels(cuda::i64 vertices, cuda::i64 width, unsigned seed, int repeats);

}  // namespace pyexpr::bench
