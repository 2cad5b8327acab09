#include "pyexpr/affine_map.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pyexpr/kernels.hpp"
#include "pyexpr/lossless.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

AffineMap::AffineMap(std::size_t in, std::size_t out, const double* weight, const double* bias)
    : AffineMap(in, {bias, bias + out},
                {{0, 0, std::make_shared<const Operation>(Dense(in, out, weight))}}) {}

AffineMap::AffineMap(std::size_t in, std::vector<double> bias, std::vector<Block> blocks)
    : in_(in), bias_(std::move(bias)), blocks_(std::move(blocks)), row_norms_(outputs()) {
    for (const Block& block : blocks_)
        std::visit(
            [&](const auto& op) {
                terms_ += op.terms();
                column_terms_ += op.column_terms();
            },
            block.operation());
    if (blocks_.size() == 1 && blocks_[0].inputs() == in_ && blocks_[0].outputs() == outputs())
        dense_ = std::get_if<Dense>(&blocks_[0].operation());
    disjoint_inputs_ = apart(&Block::in_offset, &Block::inputs);
    std::vector<double> row;
    for (std::size_t q = 0; q < outputs(); ++q) {
        row.assign(1, bias_[q]);
        for_each_in_row(q, [&](std::size_t, double weight) { row.push_back(weight); });
        row_norms_[q] = norm_bound(row.data(), row.size());
        // By Cauchy-Schwarz for sums in which an input may come once a block.
        if (!disjoint_inputs_)
            row_norms_[q] = up(row_norms_[q] * std::sqrt(static_cast<double>(blocks_.size())));
    }
    frobenius_norm_ = norm_bound(row_norms_.data(), outputs());
}

void AffineMap::add_column(std::size_t j, double c, double* y) const {
    for (const Block& block : blocks_) {
        if (!block.reads(j)) continue;
        if (const Dense* dense = std::get_if<Dense>(&block.operation()))
            axpy(c, dense->column(j - block.in_offset), y + block.out_offset, dense->outputs());
        else
            std::visit(
                [&](const auto& op) {
                    op.for_each_in_column(j - block.in_offset, [&](std::size_t q, double weight) {
                        y[block.out_offset + q] += c * weight;
                    });
                },
                block.operation());
    }
}

void AffineMap::add_columns(const std::vector<std::uint32_t>& j, const std::vector<double>& c,
                            double* y) const {
    std::size_t i = 0;
    if (dense_)
        for (; i + 4 <= j.size(); i += 4) {
            const double* columns[4];
            for (std::size_t k = 0; k < 4; ++k) columns[k] = dense_->column(j[i + k]);
            add_four(&c[i], columns, y, outputs());
        }
    for (; i < j.size(); ++i) add_column(j[i], c[i], y);
}

void AffineMap::add_column_extended(std::size_t j, double c_high, double c_low, double* high,
                                    double* low) const {
    for (const Block& block : blocks_) {
        if (!block.reads(j)) continue;
        double *y = high + block.out_offset, *y_low = low + block.out_offset;
        if (const Dense* dense = std::get_if<Dense>(&block.operation()))
            axpy_extended(c_high, c_low, dense->column(j - block.in_offset), y, y_low,
                          dense->outputs());
        else
            std::visit(
                [&](const auto& op) {
                    op.for_each_in_column(j - block.in_offset, [&](std::size_t q, double weight) {
                        Pair sum{y[q], y_low[q]};
                        add_product(sum, {c_high, c_low}, weight);
                        y[q] = sum.high;
                        y_low[q] = sum.low;
                    });
                },
                block.operation());
    }
}

bool AffineMap::is_sparse(std::size_t q) const {
    return std::none_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
        return block.writes(q) && !std::holds_alternative<Sparse>(block.operation());
    });
}

void AffineMap::multiply(std::size_t rows, const double* x, double* y, Buffer& scratch) const {
    std::fill_n(y, rows * outputs(), 0.0);
    for (const Block& block : blocks_)
        std::visit(
            [&](const auto& op) {
                op.multiply(rows, x + block.in_offset, in_, y + block.out_offset, outputs(),
                            scratch);
            },
            block.operation());
}

bool AffineMap::multiply_exactly(const double* x, double* y) const {
    constexpr std::size_t small = 256;
    if (!dense_ || in_ * outputs() > small) return false;
    Lossless exact;
    std::copy_n(bias(), outputs(), y);
    for (std::size_t j = 0; j < in_ && exact.exact(); ++j) {
        if (x[j] == 0) continue;
        const double* column = dense_->column(j);
        for (std::size_t q = 0; q < outputs(); ++q)
            y[q] = exact.sum(y[q], exact.product(column[q], x[j]));
    }
    return exact.exact();
}

void AffineMap::add_extended(const double* x, const double* x_low, double* y, double* y_low,
                             Buffer& scratch) const {
    for (const Block& block : blocks_)
        std::visit(
            [&](const auto& op) {
                op.add_extended(x + block.in_offset, x_low + block.in_offset, y + block.out_offset,
                                y_low + block.out_offset, scratch);
            },
            block.operation());
}

void AffineMap::add_transposed(const double* g, double* x, Buffer& scratch) const {
    for (const Block& block : blocks_)
        std::visit(
            [&](const auto& op) {
                op.add_transposed(g + block.out_offset, x + block.in_offset, scratch);
            },
            block.operation());
}

double AffineMap::spectral_norm() const {
    std::call_once(lazy_->once, [this] { lazy_->norm = bound_spectral_norm(); });
    return lazy_->norm;
}

// Whether no two blocks meet on one side.
bool AffineMap::apart(std::size_t Block::* offset, std::size_t (Block::*size)() const) const {
    for (const Block& a : blocks_)
        for (const Block& b : blocks_)
            if (&a != &b && a.*offset < b.*offset + (b.*size)() &&
                b.*offset < a.*offset + (a.*size)())
                return false;
    return true;
}

// Of a sum of blocks, the squares of whose norms may be added where no two write the same outputs,
// or no two read the same inputs; blocks that do neither have only the larger of two norms.
double AffineMap::bound_spectral_norm() const {
    const bool disjoint_outputs = apart(&Block::out_offset, &Block::outputs);
    double sum = 0, squares = 0, largest = 0;
    for (const Block& block : blocks_) {
        const double norm = std::visit([](const auto& op) { return op.spectral_norm(); },
                                       block.operation());
        sum += norm;
        squares += norm * norm;
        largest = std::max(largest, norm);
    }
    double bound = sum;
    if (disjoint_inputs_ || disjoint_outputs)
        bound = std::min(bound, std::sqrt(squares) + underflow);
    if (disjoint_inputs_ && disjoint_outputs) bound = largest;
    return up(std::min(bound, frobenius_norm_));
}

}  // namespace pyexpr
