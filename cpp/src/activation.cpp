#include "pyexpr/activation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "pyexpr/dyadic.hpp"

namespace pyexpr {

Activation::Activation(std::size_t width, std::vector<double> thresholds,
                       std::vector<double> slopes, double value)
    : width_(width),
      thresholds_(std::move(thresholds)),
      slopes_(std::move(slopes)),
      value_(value),
      flat_(pieces() * words(), 0),
      linear_(flat_),
      ties_(this->thresholds() * words(), 0) {
    offsets_.resize(slopes_.size());
    offset_lows_.resize(slopes_.size());
    for (std::size_t piece = 0; piece < pieces(); ++piece) {
        for (std::size_t q = 0; q < width_; ++q) {
            const std::size_t i = piece * width_ + q;
            const Dyadic exact = exact_offset(*this, piece, q);
            offsets_[i] = exact.to_double();
            if (std::isfinite(offsets_[i]))
                offset_lows_[i] = (exact - Dyadic(offsets_[i])).to_double();
            const double s = std::abs(slopes_[i]), c = std::abs(offsets_[i]);
            if (exact.mantissa == 0) set_bit(&linear_[piece * words()], q);
            if (s == 0) set_bit(&flat_[piece * words()], q);
            if (piece > 0 && s == 0 && slope(piece - 1, q) != 0)
                set_bit(&ties_[(piece - 1) * words()], q);
            monotone_ = monotone_ && slopes_[i] >= 0;
            lipschitz_ = std::max(lipschitz_, s);
            largest_offset_ = std::max(largest_offset_, c);
            exact_ = exact_ && (s == 0 || s == 1) && (s == 0 || c == 0) && offset_lows_[i] == 0;
        }
    }
    clamp_ = find_clamp();
}

std::optional<Activation::Clamp> Activation::find_clamp() const {
    if (width_ == 0 || pieces() > 3) return std::nullopt;
    const bool below = slope(0, 0) == 0, above = slope(pieces() - 1, 0) == 0;
    const std::size_t middle = below ? 1 : 0;
    if (pieces() != 1 + middle + above) return std::nullopt;
    for (std::size_t piece = 0; piece < pieces(); ++piece)
        for (std::size_t q = 0; q < width_; ++q)
            if (slope(piece, q) != (piece == middle) || (piece == middle && !linear(piece, q)))
                return std::nullopt;
    const double infinity = std::numeric_limits<double>::infinity();
    return Clamp{below ? threshold(0) : -infinity, above ? thresholds_.back() : infinity};
}

Dyadic exact_offset(const Activation& phi, std::size_t piece, std::size_t q) {
    // Walk from the first threshold, where the value is given, to one that bounds the piece.
    Dyadic value(phi.value());
    const std::size_t end = piece == 0 ? 0 : piece - 1;
    for (std::size_t k = 0; k < end; ++k) {
        const Dyadic step = Dyadic(phi.threshold(k + 1)) - Dyadic(phi.threshold(k));
        value = value + Dyadic(phi.slope(k + 1, q)) * step;
    }
    return value - Dyadic(phi.slope(piece, q)) * Dyadic(phi.threshold(end));
}

}  // namespace pyexpr
