#include "pyexpr/block.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "pyexpr/gemm.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

Dense::Dense(std::size_t in, std::size_t out, const double* weight)
    : in_(in), out_(out), columns_(in * out) {
    for (std::size_t q = 0; q < out; ++q)
        for (std::size_t j = 0; j < in; ++j) columns_[j * out + q] = weight[q * in + j];
}

void Dense::multiply(std::size_t rows, const double* x, std::size_t x_stride, double* y,
                     std::size_t y_stride, Buffer&) const {
    gemm_add(rows, out_, in_, x, x_stride, columns_.data(), out_, y, y_stride);
}

void Dense::add_extended(const double* x, const double* x_low, double* y, double* y_low,
                         Buffer&) const {
    for (std::size_t j = 0; j < in_; ++j)
        if (x[j] != 0 || x_low[j] != 0) axpy_extended(x[j], x_low[j], column(j), y, y_low, out_);
}

void Dense::add_transposed(const double* g, double* x, Buffer&) const {
    for (std::size_t j = 0; j < in_; ++j) x[j] += dot(column(j), g, out_);
}

double Dense::spectral_norm() const { return spectral_norm_bound(in_, out_, columns_.data()); }

Convolution::Convolution(const ConvolutionShape& shape, const double* kernel)
    : s_(shape),
      window_(shape.kernel_height * shape.kernel_width),
      taps_(shape.channels_in / shape.groups * window_),
      out_height_(shape.out_height()),
      out_width_(shape.out_width()),
      pixels_(out_height_ * out_width_) {
    kernel_.assign(kernel, kernel + s_.channels_out * taps_);
    by_tap_.resize(kernel_.size());
    const std::size_t out = s_.channels_out / s_.groups;
    for (std::size_t o = 0; o < s_.channels_out; ++o)
        for (std::size_t t = 0; t < taps_; ++t)
            by_tap_[(o / out * taps_ + t) * out + o % out] = kernel_[o * taps_ + t];
}

// [channels, kernel height, kernel width, out height, out width] of one image.
void Convolution::unfold(const double* image, double* patches) const {
    for (std::size_t c = 0; c < s_.channels_in; ++c)
        for (std::size_t ky = 0; ky < s_.kernel_height; ++ky)
            for (std::size_t kx = 0; kx < s_.kernel_width; ++kx)
                for (std::size_t y = 0; y < out_height_; ++y) {
                    const std::size_t iy = y * s_.stride_y + ky * s_.dilation_y - s_.pad_top;
                    const double* row = image + (c * s_.height + iy) * s_.width;
                    for (std::size_t x = 0; x < out_width_; ++x, ++patches) {
                        const std::size_t ix = x * s_.stride_x + kx * s_.dilation_x - s_.pad_left;
                        *patches = iy < s_.height && ix < s_.width ? row[ix] : 0;
                    }
                }
}

void Convolution::multiply(std::size_t rows, const double* x, std::size_t x_stride, double* y,
                           std::size_t y_stride, Buffer& scratch) const {
    scratch.resize(s_.channels_in * window_ * pixels_);
    const std::size_t out = s_.channels_out / s_.groups;
    for (std::size_t v = 0; v < rows; ++v) {
        unfold(x + v * x_stride, scratch.data());
        for (std::size_t g = 0; g < s_.groups; ++g)
            gemm_add(out, pixels_, taps_, &kernel_[g * out * taps_], taps_,
                     &scratch[g * taps_ * pixels_], pixels_, y + v * y_stride + g * out * pixels_,
                     pixels_);
    }
}

void Convolution::fold(const double* patches, std::size_t first, std::size_t last,
                       double* image) const {
    for (std::size_t c = 0; c < s_.channels_in; ++c)
        for (std::size_t ky = 0; ky < s_.kernel_height; ++ky)
            for (std::size_t kx = 0; kx < s_.kernel_width; ++kx)
                for (std::size_t y = first; y < last; ++y) {
                    const std::size_t iy = y * s_.stride_y + ky * s_.dilation_y - s_.pad_top;
                    double* row = image + (c * s_.height + iy) * s_.width;
                    for (std::size_t x = 0; x < out_width_; ++x, ++patches) {
                        const std::size_t ix = x * s_.stride_x + kx * s_.dilation_x - s_.pad_left;
                        if (iy < s_.height && ix < s_.width) row[ix] += *patches;
                    }
                }
}

// Some pixels at a time, so that their patches stay in the cache while all channels read them.
void Convolution::add_extended(const double* x, const double* x_low, double* y, double* y_low,
                               Buffer& scratch) const {
    constexpr std::size_t at_once = 256;
    const std::size_t patches = s_.channels_in * window_ * pixels_;
    scratch.resize(2 * patches);
    unfold(x, scratch.data());
    unfold(x_low, scratch.data() + patches);
    const std::size_t out = s_.channels_out / s_.groups;
    for (std::size_t begin = 0; begin < pixels_; begin += at_once) {
        const std::size_t n = std::min(at_once, pixels_ - begin);
        for (std::size_t o = 0; o < s_.channels_out; ++o) {
            double *high = y + o * pixels_ + begin, *low = y_low + o * pixels_ + begin;
            for (std::size_t t = 0; t < taps_; ++t) {
                const double weight = kernel_[o * taps_ + t];
                const double* patch = &scratch[(o / out * taps_ + t) * pixels_ + begin];
                axpy_extended(weight, 0, patch, high, low, n);
                axpy(weight, patch + patches, low, n);
            }
        }
    }
}

// Of the output's rows only those that are not zero: a few levels behind a neuron these are few.
void Convolution::add_transposed(const double* g, double* x, Buffer& scratch) const {
    std::size_t first = out_height_, last = 0;
    for (std::size_t y = 0; y < out_height_; ++y) {
        const auto is_zero = [&](std::size_t channel) {
            const double* row = g + channel * pixels_ + y * out_width_;
            return std::all_of(row, row + out_width_, [](double value) { return value == 0; });
        };
        std::size_t channel = 0;
        while (channel < s_.channels_out && is_zero(channel)) ++channel;
        if (channel == s_.channels_out) continue;
        first = std::min(first, y);
        last = y + 1;
    }
    if (last == 0) return;
    const std::size_t n = (last - first) * out_width_, out = s_.channels_out / s_.groups;
    scratch.resize(s_.groups * taps_ * n);
    std::fill(scratch.begin(), scratch.end(), 0.0);
    for (std::size_t group = 0; group < s_.groups; ++group)
        gemm_add(taps_, n, out, &by_tap_[group * taps_ * out], out,
                 g + group * out * pixels_ + first * out_width_, pixels_,
                 &scratch[group * taps_ * n], n);
    fold(scratch.data(), first, last, x);
}

// Zero padding, strides and dilation leave out or spread entries of the convolution on all of Z^2,
// whose norm is the largest norm of its symbol, a matrix of trigonometric polynomials.
double Convolution::spectral_norm() const {
    const std::size_t out = s_.channels_out / s_.groups;
    // About 16 points a period of the highest frequency lose a few percent, 6 a third.
    const std::size_t fineness = out * taps_ / window_ <= 64 * 64 ? 8 : 3;
    const auto points = [&](std::size_t kernel) { return fineness * (kernel - 1) + 1; };
    double largest = 0;
    for (std::size_t g = 0; g < s_.groups; ++g)
        largest = std::max(largest, symbol_norm(&kernel_[g * out * taps_], points(s_.kernel_height),
                                                points(s_.kernel_width)));
    return largest;
}

// A real function of exponential type d whose modulus is at most M = |f(x)| is at least
// M cos(d (y - x)) at y with |y - x| <= pi / d (Duffin and Schaeffer 1938, of M. Riesz's lemma).
// So its largest modulus on n equidistant points of the period is at least M cos(pi d / n).
double Convolution::symbol_norm(const double* kernel, std::size_t points_y,
                                std::size_t points_x) const {
    const std::size_t in = s_.channels_in / s_.groups, out = s_.channels_out / s_.groups;
    std::vector<double> sizes(out * in, 0.0), matrix(4 * out * in);
    for (std::size_t i = 0; i < out * in; ++i)
        for (std::size_t k = 0; k < window_; ++k) sizes[i] += std::abs(kernel[i * window_ + k]);
    // Of the cosines, products and sums below.
    const double rounding = 2 * gamma(window_ + 64) * norm_bound(sizes.data(), sizes.size());
    double largest = 0;
    for (std::size_t fy = 0; fy < points_y; ++fy)
        for (std::size_t fx = 0; fx < points_x; ++fx) {
            // The symbol at -theta is the conjugate: one half of the points is enough.
            if (fy > points_y / 2 || (fy == 0 && fx > points_x / 2)) continue;
            for (std::size_t i = 0; i < out * in; ++i) {
                double re = 0, im = 0;
                for (std::size_t k = 0; k < window_; ++k) {
                    const double turns = static_cast<double>(k / s_.kernel_width * fy % points_y) /
                                             static_cast<double>(points_y) +
                                         static_cast<double>(k % s_.kernel_width * fx % points_x) /
                                             static_cast<double>(points_x);
                    re += kernel[i * window_ + k] * std::cos(2 * std::numbers::pi * turns);
                    im += kernel[i * window_ + k] * std::sin(2 * std::numbers::pi * turns);
                }
                const std::size_t q = i / in, j = i % in;
                matrix[q * 2 * in + j] = matrix[(out + q) * 2 * in + in + j] = re;
                matrix[q * 2 * in + in + j] = -im;
                matrix[(out + q) * 2 * in + j] = im;
            }
            largest = std::max(largest, spectral_norm_bound(2 * out, 2 * in, matrix.data()));
        }
    const auto reach = [](std::size_t size, std::size_t points) {
        const double degree = 0.5 * static_cast<double>(size - 1);
        return std::cos(std::numbers::pi * degree / static_cast<double>(points)) *
               (1 - 64 * unit_roundoff);
    };
    return up((largest + rounding) /
              (reach(s_.kernel_height, points_y) * reach(s_.kernel_width, points_x)));
}

Sparse::Sparse(std::size_t in, std::vector<std::size_t> first, std::vector<std::uint32_t> column,
               std::vector<double> weight)
    : in_(in),
      first_(std::move(first)),
      column_first_(in + 1, 0),
      column_(std::move(column)),
      row_(column_.size()),
      weight_(std::move(weight)),
      column_weight_(column_.size()) {
    for (std::size_t q = 0; q < outputs(); ++q)
        terms_ = std::max(terms_, first_[q + 1] - first_[q]);
    for (std::uint32_t j : column_) ++column_first_[j + 1];
    for (std::size_t count : column_first_) column_terms_ = std::max(column_terms_, count);
    std::partial_sum(column_first_.begin(), column_first_.end(), column_first_.begin());
    std::vector<std::size_t> next(column_first_.begin(), column_first_.end() - 1);
    for (std::size_t q = 0; q < outputs(); ++q)
        for (std::size_t i = first_[q]; i < first_[q + 1]; ++i) {
            const std::size_t at = next[column_[i]]++;
            row_[at] = static_cast<std::uint32_t>(q);
            column_weight_[at] = weight_[i];
        }
}

void Sparse::multiply(std::size_t rows, const double* x, std::size_t x_stride, double* y,
                      std::size_t y_stride, Buffer&) const {
    for (std::size_t v = 0; v < rows; ++v)
        for (std::size_t q = 0; q < outputs(); ++q) {
            double sum = 0;
            for (std::size_t i = first_[q]; i < first_[q + 1]; ++i)
                sum += weight_[i] * x[v * x_stride + column_[i]];
            y[v * y_stride + q] += sum;
        }
}

void Sparse::add_extended(const double* x, const double* x_low, double* y, double* y_low,
                          Buffer&) const {
    for (std::size_t q = 0; q < outputs(); ++q) {
        Pair sum{y[q], y_low[q]};
        for_each_in_row(q, [&](std::size_t j, double weight) {
            add_product(sum, {x[j], x_low[j]}, weight);
        });
        y[q] = sum.high;
        y_low[q] = sum.low;
    }
}

void Sparse::add_transposed(const double* g, double* x, Buffer&) const {
    for (std::size_t q = 0; q < outputs(); ++q)
        if (g[q] != 0)
            for_each_in_row(q, [&](std::size_t j, double weight) { x[j] += weight * g[q]; });
}

// |W|_2^2 <= |W|_1 |W|_inf
double Sparse::spectral_norm() const {
    const auto largest = [](const std::vector<std::size_t>& first,
                            const std::vector<double>& weight) {
        double most = 0;
        for (std::size_t k = 0; k + 1 < first.size(); ++k) {
            double sum = 0;
            for (std::size_t i = first[k]; i < first[k + 1]; ++i) sum += std::abs(weight[i]);
            most = std::max(most, sum);
        }
        return most;
    };
    return up(std::sqrt(largest(first_, weight_)) *
                  std::sqrt(largest(column_first_, column_weight_)) +
              underflow);
}

}  // namespace pyexpr
