#include "pyexpr/activation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pyexpr/dyadic.hpp"

namespace pyexpr {
namespace {

// offset(k) = phi(threshold) - slope(k) threshold, exact and then rounded once.
std::vector<double> rounded_offsets(const Activation& phi) {
    std::vector<double> offsets;
    offsets.reserve(phi.pieces() * phi.width());
    for (std::size_t piece = 0; piece < phi.pieces(); ++piece)
        for (std::size_t q = 0; q < phi.width(); ++q)
            offsets.push_back(exact_offset(phi, piece, q).to_double());
    return offsets;
}

}  // namespace

Activation::Activation(std::size_t width, std::vector<double> thresholds,
                       std::vector<double> slopes, double value)
    : width_(width),
      thresholds_(std::move(thresholds)),
      slopes_(std::move(slopes)),
      value_(value),
      flat_(pieces() * words(), 0),
      ties_(this->thresholds() * words(), 0) {
    offsets_ = rounded_offsets(*this);
    for (std::size_t piece = 0; piece < pieces(); ++piece) {
        for (std::size_t q = 0; q < width_; ++q) {
            const double s = std::abs(slope(piece, q)), c = std::abs(offset(piece, q));
            if (s == 0) set_bit(&flat_[piece * words()], q);
            if (piece > 0 && s == 0 && slope(piece - 1, q) != 0)
                set_bit(&ties_[(piece - 1) * words()], q);
            lipschitz_ = std::max(lipschitz_, s);
            largest_offset_ = std::max(largest_offset_, c);
            exact_ = exact_ && (s == 0 || s == 1) && (s == 0 || c == 0);
        }
    }
}

}  // namespace pyexpr
