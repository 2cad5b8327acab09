#include "pyexpr/network.hpp"

#include "pyexpr/gemm.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

DenseMap::DenseMap(std::size_t in, std::size_t out, const double* weight, const double* bias)
    : in_(in), out_(out), columns_(in * out), bias_(bias, bias + out), row_norms_(out) {
    std::vector<double> row(in + 1);
    for (std::size_t q = 0; q < out; ++q) {
        for (std::size_t j = 0; j < in; ++j) columns_[j * out + q] = row[j] = weight[q * in + j];
        row[in] = bias[q];
        row_norms_[q] = norm_bound(row.data(), in + 1);
    }
    frobenius_norm_ = norm_bound(row_norms_.data(), out);
}

double DenseMap::spectral_norm() const {
    std::call_once(lazy_->once,
                   [this] { lazy_->norm = spectral_norm_bound(in_, out_, columns_.data()); });
    return lazy_->norm;
}

std::size_t Network::neurons() const {
    std::size_t total = 0;
    for (const Level& level : levels_) total += level.activation.width();
    return total;
}

}  // namespace pyexpr
