// The network along the line in exact integer arithmetic, one activation pattern at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "pyexpr/dyadic.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// a + b t, in units of a power of two that depends on the level alone.
struct Affine {
    Integer a = 0, b = 0;
};

// numerator / denominator with denominator > 0.
struct Rational {
    Integer numerator, denominator;
};

// Under a fixed pattern every pre-activation is an affine function of t with dyadic coefficients:
// sums and products, no division. Rows are computed on demand and kept while the pattern's
// letters of earlier levels stay the same, so that questions on one cell share their work.
class ExactLine {
public:
    ExactLine(const Network& network, const Line& line);

    // Sets the letters of the first pattern.size() levels.
    void set_pattern(const Pattern& pattern);

    // Pre-activation of a neuron (an output for level == depth). Needs the letters before `level`.
    const Affine& pre_activation(std::size_t level, std::size_t neuron);
    // Pre-activation minus threshold.
    Affine margin(std::size_t level, std::size_t neuron, std::size_t threshold);
    // Where a vertex truly is. Needs the letters of a neighbouring cell before its level.
    Rational position(const Vertex& vertex);

private:
    struct Hidden {
        std::vector<Word> letters;
        bool ready = false;
        std::vector<std::uint32_t> live;  // neurons that are not identically zero
        std::vector<Affine> values;
    };
    struct Rows {
        std::vector<std::optional<Affine>> values;
    };

    void forget_from(std::size_t level);
    const Hidden& hidden(std::size_t level);
    Affine activate(std::size_t level, std::size_t neuron);

    const Network& network_;
    Hidden input_;
    std::vector<Hidden> hidden_;
    std::vector<Rows> rows_;
    // Every input of a level (weight, pre-activation, slope) is an integer times two to this power.
    std::vector<int> in_exponent_, weight_exponent_, pre_exponent_, slope_exponent_;
};

// sign(f(t))
int sign_at(const Affine& f, const Rational& t);
// sign(root(f) - root(g)), both slopes nonzero
int compare_roots(const Affine& f, const Affine& g);
Rational root(const Affine& f);

}  // namespace pyexpr
