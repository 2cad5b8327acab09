// The linear operations that affine maps are made of. Each has the entries of its matrix on demand,
// by row and by column, so that none is ever expanded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "pyexpr/buffer.hpp"

namespace pyexpr {

// A matrix, column after column.
class Dense {
public:
    // weight: [out, in] row-major.
    Dense(std::size_t in, std::size_t out, const double* weight);

    std::size_t inputs() const { return in_; }
    std::size_t outputs() const { return out_; }
    std::size_t terms() const { return in_; }  // most entries of a row
    std::size_t column_terms() const { return out_; }  // most entries of a column
    const double* column(std::size_t j) const { return &columns_[j * out_]; }
    const double* columns() const { return columns_.data(); }
    const std::vector<double>& weights() const { return columns_; }

    template <class Visit>
    void for_each_in_row(std::size_t q, Visit&& visit) const {
        for (std::size_t j = 0; j < in_; ++j) visit(j, columns_[j * out_ + q]);
    }
    template <class Visit>
    void for_each_in_column(std::size_t j, Visit&& visit) const {
        for (std::size_t q = 0; q < out_; ++q) visit(q, columns_[j * out_ + q]);
    }
    // y [rows, stride y_stride] += x W^T.
    void multiply(std::size_t rows, const double* x, std::size_t x_stride, double* y,
                  std::size_t y_stride, Buffer& scratch) const;
    // y += W x for one row in double-double: compensated sums, which may leave a low part as large
    // as its high one; those of x must be normalised.
    void add_extended(const double* x, const double* x_low, double* y, double* y_low,
                      Buffer& scratch) const;
    // x += W^T g for one row.
    void add_transposed(const double* g, double* x, Buffer& scratch) const;
    double spectral_norm() const;

private:
    std::size_t in_, out_;
    std::vector<double> columns_;
};

// Cross-correlation over two axes, as every deep-learning library has it. One axis: height 1.
struct ConvolutionShape {
    std::size_t channels_in, height, width, channels_out, kernel_height, kernel_width;
    std::size_t stride_y = 1, stride_x = 1, pad_top = 0, pad_left = 0, pad_bottom = 0,
                pad_right = 0;
    std::size_t dilation_y = 1, dilation_x = 1, groups = 1;

    std::size_t out_height() const {
        return (height + pad_top + pad_bottom - dilation_y * (kernel_height - 1) - 1) / stride_y +
               1;
    }
    std::size_t out_width() const {
        return (width + pad_left + pad_right - dilation_x * (kernel_width - 1) - 1) / stride_x + 1;
    }
};

// Multiplies as Dense does.
class Convolution {
public:
    // kernel: [channels_out, channels_in / groups, kernel_height, kernel_width].
    Convolution(const ConvolutionShape& shape, const double* kernel);

    std::size_t inputs() const { return s_.channels_in * s_.height * s_.width; }
    std::size_t outputs() const { return s_.channels_out * pixels_; }
    std::size_t terms() const { return taps_; }
    std::size_t column_terms() const { return s_.channels_out * window_; }
    const std::vector<double>& weights() const { return kernel_; }
    const ConvolutionShape& shape() const { return s_; }

    template <class Visit>
    void for_each_in_row(std::size_t q, Visit&& visit) const;
    template <class Visit>
    void for_each_in_column(std::size_t j, Visit&& visit) const;
    void multiply(std::size_t rows, const double* x, std::size_t x_stride, double* y,
                  std::size_t y_stride, Buffer& scratch) const;
    void add_extended(const double* x, const double* x_low, double* y, double* y_low,
                      Buffer& scratch) const;
    void add_transposed(const double* g, double* x, Buffer& scratch) const;
    double spectral_norm() const;

private:
    double symbol_norm(const double* kernel, std::size_t points_y, std::size_t points_x) const;
    void unfold(const double* image, double* patches) const;
    // Adds the patches at output rows first .. last - 1, [taps, rows, out width], to an image.
    void fold(const double* patches, std::size_t first, std::size_t last, double* image) const;

    ConvolutionShape s_;
    std::vector<double> kernel_;
    std::vector<double> by_tap_;  // [groups, taps, channels out of a group]
    std::size_t window_, taps_, out_height_, out_width_, pixels_;
};

// Few entries a row: copies, differences, means, paddings. Multiplies as Dense does.
class Sparse {
public:
    // Entries by row: those of row q are first[q] .. first[q + 1] - 1.
    Sparse(std::size_t in, std::vector<std::size_t> first, std::vector<std::uint32_t> column,
           std::vector<double> weight);

    std::size_t inputs() const { return in_; }
    std::size_t outputs() const { return first_.size() - 1; }
    std::size_t terms() const { return terms_; }
    std::size_t column_terms() const { return column_terms_; }
    const std::vector<double>& weights() const { return weight_; }
    const std::vector<std::size_t>& first() const { return first_; }
    const std::vector<std::uint32_t>& columns() const { return column_; }

    template <class Visit>
    void for_each_in_row(std::size_t q, Visit&& visit) const {
        for (std::size_t i = first_[q]; i < first_[q + 1]; ++i) visit(column_[i], weight_[i]);
    }
    template <class Visit>
    void for_each_in_column(std::size_t j, Visit&& visit) const {
        for (std::size_t i = column_first_[j]; i < column_first_[j + 1]; ++i)
            visit(row_[i], column_weight_[i]);
    }
    void multiply(std::size_t rows, const double* x, std::size_t x_stride, double* y,
                  std::size_t y_stride, Buffer& scratch) const;
    void add_extended(const double* x, const double* x_low, double* y, double* y_low,
                      Buffer& scratch) const;
    void add_transposed(const double* g, double* x, Buffer& scratch) const;
    double spectral_norm() const;

private:
    std::size_t in_;
    std::vector<std::size_t> first_, column_first_;
    std::vector<std::uint32_t> column_, row_;
    std::vector<double> weight_, column_weight_;
    std::size_t terms_ = 0, column_terms_ = 0;
};

struct Operation : std::variant<Dense, Convolution, Sparse> {
    using variant::variant;
};

// An operation from some of a map's inputs to some of its outputs.
struct Block {
    std::size_t in_offset, out_offset;
    std::shared_ptr<const Operation> shared;

    const Operation& operation() const { return *shared; }

    std::size_t inputs() const {
        return std::visit([](const auto& op) { return op.inputs(); }, operation());
    }
    std::size_t outputs() const {
        return std::visit([](const auto& op) { return op.outputs(); }, operation());
    }
    bool reads(std::size_t j) const { return j - in_offset < inputs(); }
    bool writes(std::size_t q) const { return q - out_offset < outputs(); }
};

template <class Visit>
void Convolution::for_each_in_row(std::size_t q, Visit&& visit) const {
    const std::size_t channel = q / pixels_, y = q % pixels_ / out_width_, x = q % out_width_;
    const std::size_t per_group = s_.channels_in / s_.groups;
    const std::size_t group = channel / (s_.channels_out / s_.groups);
    const double* weight = &kernel_[channel * taps_];
    for (std::size_t c = group * per_group; c < (group + 1) * per_group; ++c)
        for (std::size_t ky = 0; ky < s_.kernel_height; ++ky)
            for (std::size_t kx = 0; kx < s_.kernel_width; ++kx, ++weight) {
                // Wraps around beyond the lower border, too.
                const std::size_t iy = y * s_.stride_y + ky * s_.dilation_y - s_.pad_top;
                const std::size_t ix = x * s_.stride_x + kx * s_.dilation_x - s_.pad_left;
                if (iy < s_.height && ix < s_.width)
                    visit((c * s_.height + iy) * s_.width + ix, *weight);
            }
}

template <class Visit>
void Convolution::for_each_in_column(std::size_t j, Visit&& visit) const {
    const std::size_t area = s_.height * s_.width, per_group = s_.channels_in / s_.groups;
    const std::size_t out_per_group = s_.channels_out / s_.groups;
    const std::size_t channel = j / area, iy = j % area / s_.width, ix = j % s_.width;
    const std::size_t group = channel / per_group, inner = channel % per_group;
    for (std::size_t ky = 0; ky < s_.kernel_height; ++ky) {
        const std::size_t top = iy + s_.pad_top - ky * s_.dilation_y;
        if (top % s_.stride_y != 0 || top / s_.stride_y >= out_height_) continue;
        for (std::size_t kx = 0; kx < s_.kernel_width; ++kx) {
            const std::size_t left = ix + s_.pad_left - kx * s_.dilation_x;
            if (left % s_.stride_x != 0 || left / s_.stride_x >= out_width_) continue;
            const std::size_t pixel = top / s_.stride_y * out_width_ + left / s_.stride_x;
            for (std::size_t c = group * out_per_group; c < (group + 1) * out_per_group; ++c)
                visit(c * pixels_ + pixel,
                      kernel_[c * taps_ + (inner * s_.kernel_height + ky) * s_.kernel_width + kx]);
        }
    }
}

}  // namespace pyexpr
