// A continuous piecewise-linear function for every neuron of a layer.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "pyexpr/bits.hpp"

namespace pyexpr {

struct Dyadic;

// phi(z) = slope(k, q) z + offset(k, q) on the k-th piece, k = number of thresholds passed.
// Defined exactly by thresholds, slopes and phi(threshold 0) = value; offsets are rounded.
class Activation {
public:
    // slopes: [pieces, width], piece by piece.
    Activation(std::size_t width, std::vector<double> thresholds, std::vector<double> slopes,
               double value);

    std::size_t width() const { return width_; }
    std::size_t thresholds() const { return thresholds_.size(); }
    std::size_t pieces() const { return thresholds_.size() + 1; }
    std::size_t words() const { return words_for(width_); }

    double threshold(std::size_t k) const { return thresholds_[k]; }
    std::span<const double> all_thresholds() const { return thresholds_; }
    double value() const { return value_; }
    double slope(std::size_t piece, std::size_t q) const { return slopes_[piece * width_ + q]; }
    double offset(std::size_t piece, std::size_t q) const { return offsets_[piece * width_ + q]; }
    // offset + offset_low is the exact offset to twice the precision.
    double offset_low(std::size_t piece, std::size_t q) const {
        return offset_lows_[piece * width_ + q];
    }
    // Whether the piece's offset is zero, exactly: phi(z) = slope z.
    bool linear(std::size_t piece, std::size_t q) const {
        return get_bit(&linear_[piece * words()], q);
    }
    const std::vector<double>& slopes() const { return slopes_; }

    // Neurons for which the piece is constant.
    const Word* flat(std::size_t piece) const { return &flat_[piece * words()]; }
    // Neurons that pass threshold k when they are identically equal to it.
    const Word* passed_on_tie(std::size_t k) const { return &ties_[k * words()]; }

    // The piece that a row of letters ([thresholds, words] bits) puts neuron q on.
    std::size_t piece(const Word* letters, std::size_t q) const {
        std::size_t passed = 0;
        for (std::size_t k = 0; k < thresholds(); ++k) passed += get_bit(letters + k * words(), q);
        return passed;
    }

    // max |slope|
    double lipschitz() const { return lipschitz_; }
    // max |offset|
    double largest_offset() const { return largest_offset_; }
    // Whether no slope is negative.
    bool monotone() const { return monotone_; }
    // Whether phi(z) = min(max(z, low), high) for all neurons, and what these are.
    struct Clamp {
        double low, high;
    };
    const std::optional<Clamp>& clamp() const { return clamp_; }
    // Whether evaluation rounds nothing: slopes 0, 1, -1, and exact offsets on flat pieces alone.
    bool evaluates_exactly() const { return exact_; }

private:
    std::size_t width_;
    std::vector<double> thresholds_, slopes_;
    double value_;
    std::vector<double> offsets_, offset_lows_;
    std::vector<Word> flat_, linear_, ties_;
    double lipschitz_ = 0, largest_offset_ = 0;
    bool monotone_ = true, exact_ = true;
    std::optional<Clamp> clamp_;

    std::optional<Clamp> find_clamp() const;
};

// phi(z) - slope z on a piece.
Dyadic exact_offset(const Activation& phi, std::size_t piece, std::size_t q);

}  // namespace pyexpr
