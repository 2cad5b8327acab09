#include "pyexpr/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pyexpr/rounding.hpp"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define PYEXPR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define PYEXPR_AVX2 1
#include <immintrin.h>
#else
#define PYEXPR_CLONES
#endif

namespace pyexpr {
namespace {

PYEXPR_CLONES double sum_of_squares(const double* x, std::size_t n) {
    double lane[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (std::size_t k = 0; k < 8; ++k) lane[k] += x[i + k] * x[i + k];
    double sum = 0;
    for (; i < n; ++i) sum += x[i] * x[i];
    for (double part : lane) sum += part;
    return sum;
}

struct Margin {
    double threshold, absolute, relative;

    double distance(double z) const { return z - threshold; }
    double bound(double z, double other, double scale) const {
        return scale * absolute + std::abs(other - z) * relative + underflow;
    }
};

bool filter_block(const double* z, const double* other, const double* scale, std::size_t n,
                  const Margin& margin, Word& positive, Word& undecided) {
    double finite = 0;
    positive = undecided = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double d = margin.distance(z[i]), m = margin.bound(z[i], other[i], scale[i]);
        positive |= Word{d > m} << i;
        undecided |= Word{!(std::abs(d) > m)} << i;
        finite += z[i] * 0;
    }
    return finite == 0;
}

#ifdef PYEXPR_AVX2
__attribute__((target("avx2"))) bool filter_full_blocks(const double* z, const double* other,
                                                        const double* scale, std::size_t blocks,
                                                        const Margin& margin, Word* positive,
                                                        Word* undecided) {
    const __m256d threshold = _mm256_set1_pd(margin.threshold);
    const __m256d absolute = _mm256_set1_pd(margin.absolute);
    const __m256d relative = _mm256_set1_pd(margin.relative);
    const __m256d tiny = _mm256_set1_pd(underflow);
    const __m256d sign = _mm256_set1_pd(-0.0);
    __m256d finite = _mm256_setzero_pd();
    for (std::size_t b = 0; b < blocks; ++b) {
        Word above = 0, decided = 0;
        for (std::size_t i = 0; i < 64; i += 4) {
            const __m256d value = _mm256_loadu_pd(z + 64 * b + i);
            const __m256d step = _mm256_sub_pd(_mm256_loadu_pd(other + 64 * b + i), value);
            const __m256d d = _mm256_sub_pd(value, threshold);
            const __m256d m = _mm256_add_pd(
                _mm256_add_pd(_mm256_mul_pd(_mm256_loadu_pd(scale + 64 * b + i), absolute), tiny),
                _mm256_mul_pd(_mm256_andnot_pd(sign, step), relative));
            const int over = _mm256_movemask_pd(_mm256_cmp_pd(d, m, _CMP_GT_OQ));
            const int clear = _mm256_movemask_pd(
                _mm256_cmp_pd(_mm256_andnot_pd(sign, d), m, _CMP_GT_OQ));
            above |= static_cast<Word>(over) << i;
            decided |= static_cast<Word>(clear) << i;
            finite = _mm256_add_pd(finite, _mm256_mul_pd(value, _mm256_setzero_pd()));
        }
        positive[b] = above;
        undecided[b] = ~decided;
    }
    const __m256d zero = _mm256_cmp_pd(finite, _mm256_setzero_pd(), _CMP_EQ_OQ);
    return _mm256_movemask_pd(zero) == 15;
}

bool have_avx2() {
    static const bool have = __builtin_cpu_supports("avx2");
    return have;
}
#endif

}  // namespace

double norm_bound(const double* x, std::size_t n) {
    const double sum = sum_of_squares(x, n);
    if (sum > 1e-280 && sum < 1e300) return up(std::sqrt(sum));
    // Among denormals `up` adds too little.
    double largest = 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (!(std::abs(x[i]) <= std::numeric_limits<double>::max()))
            return std::numeric_limits<double>::infinity();
        largest = std::max(largest, std::abs(x[i]));
    }
    return up(largest * std::sqrt(static_cast<double>(n)) + underflow);
}

PYEXPR_CLONES void lerp(const double* __restrict p, const double* __restrict q, double s,
                        double* __restrict out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = p[i] + s * (q[i] - p[i]);
}

PYEXPR_CLONES void lerp_axpy(const double* __restrict p, const double* __restrict q, double s,
                             double c, const double* __restrict x, double* __restrict out,
                             std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = p[i] + s * (q[i] - p[i]) + c * x[i];
}

PYEXPR_CLONES void lerp_extended(const double* __restrict p, const double* __restrict p_low,
                                 const double* __restrict q, const double* __restrict q_low,
                                 const Pair& s, double* __restrict out, double* __restrict out_low,
                                 std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        const Pair from{p[i], p_low[i]};
        const Pair value = from + s * (Pair{q[i], q_low[i]} - from);
        out[i] = value.high;
        out_low[i] = value.low;
    }
}

PYEXPR_CLONES void normalise(double* __restrict high, double* __restrict low, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        const Pair sum = two_sum(high[i], low[i]);
        high[i] = sum.high;
        low[i] = sum.low;
    }
}

PYEXPR_CLONES void axpy(double c, const double* __restrict x, double* __restrict y, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) y[i] += c * x[i];
}

PYEXPR_CLONES void add(const double* __restrict x, double* __restrict y, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

PYEXPR_CLONES void axpy_extended(double c_high, double c_low, const double* __restrict x,
                                 double* __restrict high, double* __restrict low, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        const double product = c_high * x[i];
        const double product_error = __builtin_fma(c_high, x[i], -product) + c_low * x[i];
        const double sum = high[i] + product;
        const double part = sum - high[i];
        low[i] += (high[i] - (sum - part)) + (product - part) + product_error;
        high[i] = sum;
    }
}

bool filter_row(const double* z, const double* other, const double* scale, std::size_t n,
                double threshold, double absolute, double relative, Word* positive,
                Word* undecided) {
    const Margin margin{threshold, absolute, relative};
    bool finite = true;
    std::size_t block = 0;
#ifdef PYEXPR_AVX2
    if (have_avx2()) {
        block = n / 64;
        finite = filter_full_blocks(z, other, scale, block, margin, positive, undecided);
    }
#endif
    for (; block * 64 < n; ++block) {
        const std::size_t i = block * 64;
        finite &= filter_block(z + i, other + i, scale + i, std::min<std::size_t>(64, n - i),
                               margin, positive[block], undecided[block]);
    }
    return finite;
}

}  // namespace pyexpr
