#include "pyexpr/gemm.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

#if defined(PYEXPR_BUNDLED_BLAS)
#define PYEXPR_BLAS(name) scipy_##name
extern "C" void scipy_openblas_set_num_threads(int);
#else
#define PYEXPR_BLAS(name) name
#endif

// The few BLAS and LAPACK entry points in use, declared here so that any vendor's library serves.
extern "C" {
void PYEXPR_BLAS(cblas_dgemm)(int order, int trans_a, int trans_b, int m, int n, int k,
                              double alpha, const double* a, int lda, const double* b, int ldb,
                              double beta, double* c, int ldc);
void PYEXPR_BLAS(cblas_dgemv)(int order, int trans, int m, int n, double alpha, const double* a,
                              int lda, const double* x, int incx, double beta, double* y, int incy);
void PYEXPR_BLAS(cblas_dsyrk)(int order, int uplo, int trans, int n, int k, double alpha,
                              const double* a, int lda, double beta, double* c, int ldc);
void PYEXPR_BLAS(dpotrf_)(const char* uplo, const int* n, double* a, const int* lda, int* info,
                          std::size_t);
}

namespace pyexpr {
namespace {

constexpr int row_major = 101;
constexpr int no_trans = 111;
constexpr int transposed = 112;
constexpr int upper = 121;

// The engine's parallelism is over runs of cells; a second pool inside would oversubscribe.
void use_one_thread() {
#if defined(PYEXPR_BUNDLED_BLAS)
    static const bool done = (scipy_openblas_set_num_threads(1), true);
    (void)done;
#endif
}

double power_iteration(std::size_t n, const double* gram, int steps) {
    std::vector<double> x(n, 1.0), y(n);
    for (std::size_t i = 0; i < n; ++i) x[i] += 0.25 * std::cos(static_cast<double>(i));
    double value = 0;
    for (int step = 0; step < steps; ++step) {
        const int size = static_cast<int>(n);
        PYEXPR_BLAS(cblas_dgemv)(row_major, no_trans, size, size, 1.0, gram, size, x.data(), 1, 0.0,
                                 y.data(), 1);
        const double norm = norm_bound(y.data(), n);
        value = norm / norm_bound(x.data(), n);
        if (!(norm > 0)) break;
        for (std::size_t i = 0; i < n; ++i) x[i] = y[i] / norm;
    }
    return value;
}

// Whether the floating-point Cholesky factorisation of shift I - gram runs to its end.
bool factorises(std::size_t n, const std::vector<double>& gram, double shift,
                std::vector<double>& work) {
    work.resize(n * n);
    for (std::size_t i = 0; i < n * n; ++i) work[i] = -gram[i];
    for (std::size_t i = 0; i < n; ++i) work[i * n + i] += shift;
    const int size = static_cast<int>(n);
    int info = 0;
    PYEXPR_BLAS(dpotrf_)("U", &size, work.data(), &size, &info, 1);
    return info == 0;
}

}  // namespace

void gemm(std::size_t m, std::size_t n, std::size_t k, const double* a, const double* b,
          double* c) {
    if (m == 0 || n == 0) return;
    if (k == 0) {
        std::fill(c, c + m * n, 0.0);
        return;
    }
    use_one_thread();
    const int im = static_cast<int>(m), in = static_cast<int>(n), ik = static_cast<int>(k);
    if (m <= 2) {
        for (int i = 0; i < im; ++i)
            PYEXPR_BLAS(cblas_dgemv)(row_major, transposed, ik, in, 1.0, b, in, a + i * ik, 1, 0.0,
                                     c + i * in, 1);
        return;
    }
    PYEXPR_BLAS(cblas_dgemm)(row_major, no_trans, no_trans, im, in, ik, 1.0, a, ik, b, in, 0.0, c,
                             in);
}

void gemm_add(std::size_t m, std::size_t n, std::size_t k, const double* a, std::size_t a_stride,
              const double* b, std::size_t b_stride, double* c, std::size_t c_stride) {
    if (m == 0 || n == 0 || k == 0) return;
    use_one_thread();
    PYEXPR_BLAS(cblas_dgemm)(row_major, no_trans, no_trans, static_cast<int>(m),
                             static_cast<int>(n), static_cast<int>(k), 1.0, a,
                             static_cast<int>(a_stride), b, static_cast<int>(b_stride), 1.0, c,
                             static_cast<int>(c_stride));
}

double spectral_norm_bound(std::size_t rows, std::size_t cols, const double* a, int effort) {
    double largest = 0;
    for (std::size_t i = 0; i < rows * cols; ++i) largest = std::max(largest, std::abs(a[i]));
    if (largest == 0) return 0;
    use_one_thread();
    // Very large or small entries are scaled by a power of two: exact, and what underflows does
    // not matter. Then no square below overflows or is lost.
    const int exponent = std::abs(std::ilogb(largest)) < 200 ? 0 : std::ilogb(largest);
    std::vector<double> scaled;
    if (exponent != 0) {
        scaled.resize(rows * cols);
        for (std::size_t i = 0; i < rows * cols; ++i) scaled[i] = std::scalbn(a[i], -exponent);
        a = scaled.data();
    }
    double frobenius2 = norm_bound(a, rows * cols);
    frobenius2 *= frobenius2;
    frobenius2 = up(frobenius2 + underflow);
    const std::size_t n = std::min(rows, cols), depth = std::max(rows, cols);
    std::vector<double> gram(n * n), work;
    PYEXPR_BLAS(cblas_dsyrk)(row_major, upper, rows <= cols ? no_trans : transposed,
                             static_cast<int>(n), static_cast<int>(depth), 1.0, a,
                             static_cast<int>(cols), 0.0, gram.data(), static_cast<int>(n));
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < i; ++j) gram[i * n + j] = gram[j * n + i];
    // Few steps fall short of the norm by some tenths.
    double shift = power_iteration(n, gram.data(), effort) * (1 + 0.8 / effort);
    for (int trial = 0; trial < 12 && shift < frobenius2; ++trial, shift *= 1.04) {
        if (!factorises(n, gram, shift, work)) continue;
        // Higham, Accuracy and Stability, Theorem 10.3: the computed factor is exact for a matrix
        // within gamma(n+1)/(1-gamma(n+1)) trace of ours, hence shift + slack >= |gram|_2.
        const double g = gamma(n + 1);
        const double trace = static_cast<double>(n) * shift;
        const double slack = g / (1 - g) * trace + 2 * unit_roundoff * (shift + frobenius2);
        const double rounding = gamma(depth) * frobenius2 + underflow;
        return up(std::scalbn(std::sqrt(up(shift + slack + rounding)), exponent) + underflow);
    }
    return up(std::scalbn(std::sqrt(frobenius2), exponent) + underflow);
}

}  // namespace pyexpr
