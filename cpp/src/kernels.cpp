#include "pyexpr/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pyexpr/rounding.hpp"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define PYEXPR_AVX2 1
#include <immintrin.h>
#endif

#if defined(PYEXPR_AVX2) && defined(__GLIBC__)  // musl's loader cannot choose among clones
#define PYEXPR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PYEXPR_CLONES
#endif

namespace pyexpr {
namespace {

double bound_at(const double* z, const double* other, const double* scale, const Margin& margin,
                std::size_t i) {
    return scale[i] * margin.absolute + std::abs(other[i] - z[i]) * margin.relative + underflow;
}

// The block of up to 64 neurons from 64 `block` on, of which the row has n, at one threshold.
void filter_block(const double* z, const double* other, const double* scale, std::size_t block,
                  std::size_t n, double threshold, const Margin& margin, Word* positive,
                  Word* undecided, FilteredRow& out) {
    double finite = 0;
    positive[block] = undecided[block] = 0;
    for (std::size_t i = block * 64; i < std::min(n, block * 64 + 64); ++i) {
        const double d = z[i] - threshold, bound = bound_at(z, other, scale, margin, i);
        const bool decided = std::abs(d) > bound;
        positive[block] |= Word{d > bound} << (i % 64);
        undecided[block] |= Word{!decided} << (i % 64);
        if (decided && std::abs(d) < out.gap * scale[i]) out.gap = std::abs(d) / scale[i];
        finite += z[i] * 0;
    }
    out.finite = out.finite && finite == 0;
    out.decided = out.decided && undecided[block] == 0;
}

// The neurons from `begin` on.
void filter_cell_rest(const CellRows& cell, const double* scale, std::size_t begin, std::size_t n,
                      std::span<const double> thresholds, const CellMargin& margin,
                      FilteredCell& out) {
    double finite = 0;
    for (std::size_t k = 0; k < thresholds.size(); ++k) {
        const double theta = thresholds[k], constant = std::abs(theta) * margin.of_w + underflow;
        for (std::size_t q = begin; q < n; ++q) {
            double least = std::numeric_limits<double>::infinity(), most = -least;
            for (std::size_t i = 0; i <= cell.degree; ++i) {
                const double c = cell.rows[i * cell.width + q] - theta * cell.weights[i];
                least = std::min(least, c);
                most = std::max(most, c);
                finite += c * 0;
            }
            const double bound = scale[q] * margin.absolute + constant;
            if (least > bound) set_bit(out.positive + k * words_for(n), q);
            if (most < -bound) set_bit(out.negative + k * words_for(n), q);
            const double size = std::max(least, -most);
            if (size > bound && size < out.gap * scale[q]) out.gap = size / scale[q];
        }
    }
    out.finite = out.finite && finite == 0;
}

#ifdef PYEXPR_AVX2
// The first `lanes` (at most 4) of p, then zeros.
__attribute__((target("avx2"), always_inline)) inline __m256d load(const double* p,
                                                                   std::size_t lanes) {
    if (lanes >= 4) return _mm256_loadu_pd(p);
    const __m256i index = _mm256_set_epi64x(3, 2, 1, 0);
    const __m256i count = _mm256_set1_epi64x(static_cast<long long>(lanes));
    return _mm256_maskload_pd(p, _mm256_cmpgt_epi64(count, index));
}

// K thresholds at once. Returns whether a decided neuron may be closer to one of them than
// out.gap.
template <std::size_t K>
__attribute__((target("avx2,fma"))) bool filter_vectors(const double* z, const double* other,
                                                        const double* scale, std::size_t n,
                                                        const double* thresholds,
                                                        const Margin& margin, FilteredRow& out) {
    const std::size_t words = words_for(n);
    const __m256d absolute = _mm256_set1_pd(margin.absolute);
    const __m256d relative = _mm256_set1_pd(margin.relative);
    const __m256d tiny = _mm256_set1_pd(underflow), sign = _mm256_set1_pd(-0.0);
    const __m256d gap = _mm256_set1_pd(out.gap);
    __m256d largest = _mm256_setzero_pd(), closer = _mm256_setzero_pd(), threshold[K];
    for (std::size_t k = 0; k < K; ++k) threshold[k] = _mm256_set1_pd(thresholds[k]);
    for (std::size_t b = 0; b < words; ++b) {
        Word below[K] = {}, decided[K] = {};
        const std::size_t width = std::min<std::size_t>(64, n - 64 * b);
        for (std::size_t i = 0; i < width; i += 4) {
            const std::size_t at = 64 * b + i, lanes = width - i;
            const __m256d value = load(z + at, lanes), unit = load(scale + at, lanes);
            const __m256d step = _mm256_sub_pd(load(other + at, lanes), value);
            const __m256d bound = _mm256_fmadd_pd(_mm256_andnot_pd(sign, step), relative,
                                                  _mm256_fmadd_pd(unit, absolute, tiny));
            const __m256d near = _mm256_mul_pd(unit, gap);
            for (std::size_t k = 0; k < K; ++k) {
                const __m256d d = _mm256_sub_pd(value, threshold[k]);
                const __m256d size = _mm256_andnot_pd(sign, d);
                const int clear = _mm256_movemask_pd(_mm256_cmp_pd(size, bound, _CMP_GT_OQ));
                below[k] |= static_cast<Word>(_mm256_movemask_pd(d)) << i;
                decided[k] |= static_cast<Word>(clear) << i;
                closer = _mm256_or_pd(closer, _mm256_cmp_pd(size, near, _CMP_LT_OQ));
            }
            largest = _mm256_max_pd(_mm256_andnot_pd(sign, value), largest);  // leaves NaN out
        }
        for (std::size_t k = 0; k < K; ++k) {
            out.positive[k * words + b] = decided[k] & ~below[k] & first_bits(width);
            const Word undecided = ~decided[k] & first_bits(width);
            out.undecided[k * words + b] = undecided;
            out.decided = out.decided && undecided == 0;
        }
    }
    const __m256d infinity = _mm256_set1_pd(std::numeric_limits<double>::infinity());
    out.finite = _mm256_movemask_pd(_mm256_cmp_pd(largest, infinity, _CMP_EQ_OQ)) == 0;
    // What is no number is undecided.
    if (!out.decided) out.finite = std::all_of(z, z + n, [](double x) { return std::isfinite(x); });
    return _mm256_movemask_pd(closer) != 0;
}

// All groups of four neurons, K thresholds at once.
template <std::size_t K>
__attribute__((target("avx2,fma"))) void filter_cell_vectors(const CellRows& cell,
                                                             const double* scale, std::size_t n,
                                                             const double* thresholds,
                                                             const CellMargin& margin,
                                                             FilteredCell& out) {
    const __m256d absolute = _mm256_set1_pd(margin.absolute), gap = _mm256_set1_pd(out.gap);
    const __m256d infinity = _mm256_set1_pd(std::numeric_limits<double>::infinity());
    const __m256d zero = _mm256_setzero_pd();
    __m256d finite = zero, threshold[K], constant[K];
    for (std::size_t k = 0; k < K; ++k) {
        threshold[k] = _mm256_set1_pd(thresholds[k]);
        constant[k] = _mm256_set1_pd(std::abs(thresholds[k]) * margin.of_w + underflow);
    }
    for (std::size_t q = 0; q + 4 <= n; q += 4) {
        __m256d least[K], most[K];
        for (std::size_t k = 0; k < K; ++k) {
            least[k] = infinity;
            most[k] = _mm256_sub_pd(zero, infinity);
        }
        for (std::size_t i = 0; i <= cell.degree; ++i) {
            const __m256d row = _mm256_loadu_pd(cell.rows + i * cell.width + q);
            const __m256d w = _mm256_set1_pd(cell.weights[i]);
            finite = _mm256_fmadd_pd(row, zero, finite);
            for (std::size_t k = 0; k < K; ++k) {
                const __m256d c = _mm256_sub_pd(row, _mm256_mul_pd(threshold[k], w));
                least[k] = _mm256_min_pd(least[k], c);
                most[k] = _mm256_max_pd(most[k], c);
            }
        }
        const __m256d unit = _mm256_loadu_pd(scale + q), near = _mm256_mul_pd(unit, gap);
        for (std::size_t k = 0; k < K; ++k) {
            const __m256d bound = _mm256_fmadd_pd(unit, absolute, constant[k]);
            const __m256d below = _mm256_sub_pd(zero, most[k]);
            const __m256d size = _mm256_max_pd(least[k], below);
            const int above = _mm256_movemask_pd(_mm256_cmp_pd(least[k], bound, _CMP_GT_OQ));
            const int under = _mm256_movemask_pd(_mm256_cmp_pd(below, bound, _CMP_GT_OQ));
            const std::size_t word = k * words_for(n) + q / 64;
            out.positive[word] |= static_cast<Word>(above) << (q % 64);
            out.negative[word] |= static_cast<Word>(under) << (q % 64);
            const __m256d closer = _mm256_cmp_pd(size, near, _CMP_LT_OQ);
            const int closest = _mm256_movemask_pd(closer) & (above | under);
            if (closest == 0) continue;
            double sizes[4];
            _mm256_storeu_pd(sizes, size);
            for (std::size_t i = 0; i < 4; ++i)
                if ((closest >> i & 1) != 0) out.gap = std::min(out.gap, sizes[i] / scale[q + i]);
        }
    }
    const int zeros = _mm256_movemask_pd(_mm256_cmp_pd(finite, zero, _CMP_EQ_OQ));
    out.finite = out.finite && zeros == 15;
}

__attribute__((target("avx2"))) void sign_vectors(const double* z, std::size_t n, double threshold,
                                                  Word* positive) {
    const __m256d least = _mm256_set1_pd(threshold);
    for (std::size_t b = 0; b < words_for(n); ++b) {
        const std::size_t width = std::min<std::size_t>(64, n - 64 * b);
        Word above = 0;
        for (std::size_t i = 0; i < width; i += 4) {
            const __m256d value = load(z + 64 * b + i, width - i);
            const int over = _mm256_movemask_pd(_mm256_cmp_pd(value, least, _CMP_GT_OQ));
            above |= static_cast<Word>(over) << i;
        }
        positive[b] = above & first_bits(width);
    }
}

bool have_avx2() {
    static const bool have = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return have;
}
#endif

}  // namespace

PYEXPR_CLONES double dot(const double* x, const double* y, std::size_t n) {
    double lane[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (std::size_t k = 0; k < 8; ++k) lane[k] += x[i + k] * y[i + k];
    double sum = 0;
    for (; i < n; ++i) sum += x[i] * y[i];
    for (double part : lane) sum += part;
    return sum;
}

double norm_bound(const double* x, std::size_t n) {
    const double sum = dot(x, x, n);
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

PYEXPR_CLONES bool widen(const double* __restrict x, const double* __restrict scale,
                         double distance, double* __restrict least, double* __restrict most,
                         std::size_t n) {
    double finite = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double around = scale[i] * distance + underflow;
        const double low = x[i] - around, high = x[i] + around;
        least[i] = low < least[i] ? low : least[i];
        most[i] = high > most[i] ? high : most[i];
        finite += low * 0 + high * 0;
    }
    return finite == 0;
}

void gather(const double* __restrict x, const std::uint32_t* __restrict index, std::size_t n,
            double* __restrict out) {
    for (std::size_t i = 0; i < n; ++i) out[i] = x[index[i]];
}

void gather_clamped(const double* __restrict x, const std::uint32_t* __restrict index,
                    std::size_t n, double low, double high, double* __restrict out) {
    for (std::size_t i = 0; i < n; ++i) {
        const double above = x[index[i]] > low ? x[index[i]] : low;
        out[i] = above < high ? above : high;
    }
}

PYEXPR_CLONES double distance_to_chord(const double* __restrict x, const double* __restrict p,
                                       const double* __restrict q, double s, std::size_t n) {
    double lane[8] = {};
    std::size_t i = 0;
    const auto square = [&](std::size_t at) {
        const double d = x[at] - (p[at] + s * (q[at] - p[at]));
        return d * d;
    };
    for (; i + 8 <= n; i += 8)
        for (std::size_t k = 0; k < 8; ++k) lane[k] += square(i + k);
    double sum = 0;
    for (; i < n; ++i) sum += square(i);
    for (const double part : lane) sum += part;
    return std::sqrt(sum);
}

PYEXPR_CLONES void add_four(const double* c, const double* const* x, double* __restrict y,
                            std::size_t n) {
    const double *a = x[0], *b = x[1], *d = x[2], *e = x[3];
    for (std::size_t i = 0; i < n; ++i)
        y[i] += (c[0] * a[i] + c[1] * b[i]) + (c[2] * d[i] + c[3] * e[i]);
}

PYEXPR_CLONES void axpy_twice(double c, double d, const double* __restrict x, double* __restrict y,
                              double* __restrict z, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        y[i] += c * x[i];
        z[i] += d * x[i];
    }
}

PYEXPR_CLONES void move_along(const double* __restrict p, const double* __restrict slope, double s,
                              double* __restrict out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = p[i] + s * slope[i];
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

void filter_row(const double* z, const double* other, const double* scale, std::size_t n,
                std::span<const double> thresholds, const Margin& margin, FilteredRow& out) {
    const std::size_t words = words_for(n);
    for (std::size_t k = 0; k < thresholds.size();) {
        std::size_t together = 1;
#ifdef PYEXPR_AVX2
        if (have_avx2()) {
            together = std::min<std::size_t>(2, thresholds.size() - k);
            FilteredRow rows{out.positive + k * words, out.undecided + k * words, out.gap};
            const auto filter = together == 2 ? filter_vectors<2> : filter_vectors<1>;
            const bool closer = filter(z, other, scale, n, &thresholds[k], margin, rows);
            out.finite = out.finite && rows.finite;
            out.decided = out.decided && rows.decided;
            if (!closer) {
                k += together;
                continue;
            }
            // Few rows hold a new smallest gap: these are gone through once more.
        }
#endif
        for (const std::size_t end = k + together; k < end; ++k)
            for (std::size_t b = 0; b < words; ++b)
                filter_block(z, other, scale, b, n, thresholds[k], margin, out.positive + k * words,
                             out.undecided + k * words, out);
    }
}

void filter_cell(const CellRows& cell, const double* scale, std::size_t n,
                 std::span<const double> thresholds, const CellMargin& margin, FilteredCell& out) {
    const std::size_t words = words_for(n), count = thresholds.size();
    std::fill_n(out.positive, count * words, Word{0});
    std::fill_n(out.negative, count * words, Word{0});
    std::size_t done = 0;
#ifdef PYEXPR_AVX2
    if (have_avx2()) {
        done = n / 4 * 4;
        if (count == 2) {
            filter_cell_vectors<2>(cell, scale, n, thresholds.data(), margin, out);
        } else {
            FilteredCell at = out;
            for (std::size_t k = 0; k < count; ++k, at.positive += words, at.negative += words)
                filter_cell_vectors<1>(cell, scale, n, &thresholds[k], margin, at);
            out.gap = at.gap;
            out.finite = at.finite;
        }
    }
#endif
    filter_cell_rest(cell, scale, done, n, thresholds, margin, out);
}

void sign_row(const double* z, std::size_t n, std::span<const double> thresholds,
              FilteredRow& out) {
    const std::size_t words = words_for(n);
    std::fill_n(out.undecided, thresholds.size() * words, Word{0});
    for (std::size_t k = 0; k < thresholds.size(); ++k) {
        Word* positive = out.positive + k * words;
#ifdef PYEXPR_AVX2
        if (have_avx2()) {
            sign_vectors(z, n, thresholds[k], positive);
            continue;
        }
#endif
        std::fill_n(positive, words, Word{0});
        for (std::size_t i = 0; i < n; ++i)
            if (z[i] > thresholds[k]) set_bit(positive, i);
    }
}

}  // namespace pyexpr
