// Kernels on a GPU, where the benchmark is built with PYEXPR_CUDA.
#pragma once

#include <string>

#include "kernel_call.hpp"

namespace pyexpr::bench {

// Why no GPU can be used here; empty if one can.
std::string why_no_gpu();

// On the current GPU. Throws std::runtime_error with what CUDA says where something fails.
Outcome run_on_gpu(const std::string& kernel, const Call& call, int repeats);

}  // namespace pyexpr::bench
