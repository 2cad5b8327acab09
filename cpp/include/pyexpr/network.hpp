// The network: affine maps and piecewise-linear activations, immutable.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "pyexpr/activation.hpp"

namespace pyexpr {

// x -> W x + b with the bounds on W that the filter needs.
class DenseMap {
public:
    // weight: [out, in] row-major, bias: [out].
    DenseMap(std::size_t in, std::size_t out, const double* weight, const double* bias);

    std::size_t inputs() const { return in_; }
    std::size_t outputs() const { return out_; }
    // Column j of W: what input j adds to every output.
    const double* column(std::size_t j) const { return &columns_[j * out_]; }
    const double* columns() const { return columns_.data(); }
    const double* bias() const { return bias_.data(); }

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

    std::size_t in_, out_;
    std::vector<double> columns_, bias_, row_norms_;
    double frobenius_norm_ = 0;
    std::unique_ptr<Lazy> lazy_ = std::make_unique<Lazy>();
};

// One level of the engine: pre-activations z = map(h), then the activation.
struct Level {
    DenseMap map;
    Activation activation;
};

class Network {
public:
    Network(std::vector<Level> levels, DenseMap readout)
        : levels_(std::move(levels)), readout_(std::move(readout)) {}

    std::size_t depth() const { return levels_.size(); }
    const Level& level(std::size_t l) const { return levels_[l]; }
    const DenseMap& readout() const { return readout_; }
    // The affine map into level l, or into the output for l == depth().
    const DenseMap& map(std::size_t l) const { return l < depth() ? levels_[l].map : readout_; }
    std::size_t inputs() const { return map(0).inputs(); }
    std::size_t outputs() const { return readout_.outputs(); }
    std::size_t neurons() const;

private:
    std::vector<Level> levels_;
    DenseMap readout_;
};

}  // namespace pyexpr
