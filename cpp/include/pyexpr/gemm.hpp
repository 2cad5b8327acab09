// Matrix products and a proved bound on a matrix's spectral norm. All matrices are row-major.
#pragma once

#include <cstddef>

namespace pyexpr {

// c [m, n] = a [m, k] b [k, n], one thread.
void gemm(std::size_t m, std::size_t n, std::size_t k, const double* a, const double* b, double* c);

// c += a b; consecutive rows of a, b and c lie so far apart.
void gemm_add(std::size_t m, std::size_t n, std::size_t k, const double* a, std::size_t a_stride,
              const double* b, std::size_t b_stride, double* c, std::size_t c_stride);

// An upper bound on |a|_2 of a [rows, cols], proved by a Cholesky factorisation that succeeds.
// `effort`: steps of the power iteration that guesses it; fewer give a looser bound.
double spectral_norm_bound(std::size_t rows, std::size_t cols, const double* a, int effort = 24);

}  // namespace pyexpr
