// x -> W x + b, W being the sum of blocks, with the bounds on W that the proofs need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "pyexpr/block.hpp"
#include "pyexpr/buffer.hpp"

namespace pyexpr {

class AffineMap {
public:
    AffineMap(std::size_t in, std::vector<double> bias, std::vector<Block> blocks);
    // One matrix; weight: [out, in] row-major, bias: [out].
    AffineMap(std::size_t in, std::size_t out, const double* weight, const double* bias);

    std::size_t inputs() const { return in_; }
    std::size_t outputs() const { return bias_.size(); }
    const double* bias() const { return bias_.data(); }
    const std::vector<Block>& blocks() const { return blocks_; }
    // The matrix, where it is all there is.
    const Dense* dense() const { return dense_; }
    // Whether every entry of W is that of one block.
    bool disjoint_inputs() const { return disjoint_inputs_; }
    // Whether a row is that of sparse blocks alone.
    bool is_sparse(std::size_t q) const;
    // Most entries of a row, and of a column.
    std::size_t terms() const { return terms_; }
    std::size_t column_terms() const { return column_terms_; }

    // visit(j, weight) for the entries of a row; those of a pair (q, j) add up.
    template <class Visit>
    void for_each_in_row(std::size_t q, Visit&& visit) const;
    // visit(q, weight) for the entries of a column.
    template <class Visit>
    void for_each_in_column(std::size_t j, Visit&& visit) const;

    // y += c (column j)
    void add_column(std::size_t j, double c, double* y) const;
    // y += c[0] (column j[0]) + ..., in any order
    void add_columns(const std::vector<std::uint32_t>& j, const std::vector<double>& c,
                     double* y) const;
    // (high, low) += (c_high + c_low) (column j), with the rounding errors kept in low.
    void add_column_extended(std::size_t j, double c_high, double c_low, double* high,
                             double* low) const;
    // y [rows, outputs] = x [rows, inputs] W^T
    void multiply(std::size_t rows, const double* x, double* y, Buffer& scratch) const;

    // y = W x + b for one row, if float64 holds all products and sums: of a small matrix, else never.
    bool multiply_exactly(const double* x, double* y) const;
    // For one row in double-double, y += W x with compensated sums: see Dense.
    void add_extended(const double* x, const double* x_low, double* y, double* y_low,
                      Buffer& scratch) const;
    // x += W^T g for one row.
    void add_transposed(const double* g, double* x, Buffer& scratch) const;

    // >= |(w_q, b_q)|_2 for every output q.
    const double* row_norms() const { return row_norms_.data(); }
    // >= |(W, b)|_F
    double frobenius_norm() const { return frobenius_norm_; }
    // >= |W|_2; computed at the first call.
    double spectral_norm() const;

private:
    struct Lazy {
        std::once_flag once;
        double norm = 0;
    };

    bool apart(std::size_t Block::* offset, std::size_t (Block::*size)() const) const;
    double bound_spectral_norm() const;

    std::size_t in_;
    std::vector<double> bias_;
    std::vector<Block> blocks_;
    const Dense* dense_ = nullptr;
    bool disjoint_inputs_ = true;
    std::size_t terms_ = 0, column_terms_ = 0;
    std::vector<double> row_norms_;
    double frobenius_norm_ = 0;
    std::unique_ptr<Lazy> lazy_ = std::make_unique<Lazy>();
};

template <class Visit>
void AffineMap::for_each_in_row(std::size_t q, Visit&& visit) const {
    for (const Block& block : blocks_)
        if (block.writes(q))
            std::visit(
                [&](const auto& op) {
                    op.for_each_in_row(q - block.out_offset, [&](std::size_t j, double weight) {
                        visit(block.in_offset + j, weight);
                    });
                },
                block.operation());
}

template <class Visit>
void AffineMap::for_each_in_column(std::size_t j, Visit&& visit) const {
    for (const Block& block : blocks_)
        if (block.reads(j))
            std::visit(
                [&](const auto& op) {
                    op.for_each_in_column(j - block.in_offset, [&](std::size_t q, double weight) {
                        visit(block.out_offset + q, weight);
                    });
                },
                block.operation());
}

}  // namespace pyexpr
