// The network along a curve in double-double arithmetic, one activation pattern at a time: settles
// almost all that the filter cannot, at a small part of the cost of exact arithmetic.
#pragma once

#include <cstddef>
#include <vector>

#include "pyexpr/ball.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/polynomial.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// The same as ExactNetwork in balls. Levels whose letters, and those before, are the same as in the
// last pattern are kept.
class ExtendedNetwork {
public:
    using Number = Ball;

    ExtendedNetwork(const Network& network, const Piece& piece);

    // Sets the letters of the first pattern.size() levels.
    void set_pattern(const Pattern& pattern);
    // Pre-activation of a neuron (an output for level == depth). Needs the letters before `level`.
    Polynomial<Ball> pre_activation(std::size_t level, std::size_t neuron);
    // Pre-activation minus threshold.
    Polynomial<Ball> margin(std::size_t level, std::size_t neuron, std::size_t threshold);
    static int unit(std::size_t) { return 0; }

private:
    // One coefficient of many polynomials: value + low, |error|_2 <= eps.
    struct Coefficient {
        std::vector<double> high, low;
        double eps = 0;
        double norm = 0;  // >= |(value, that of w)|_2
    };
    // What a level's map reads: the entries of the level before, and what its activation made them
    // from, which stays when only the letters of that level change.
    struct Inputs {
        std::vector<Word> letters;
        bool summed = false, ready = false;
        std::vector<Coefficient> entries, sums;
    };

    void start(const Line& line);
    void start(const RationalBezier& curve);
    void bound_norm(std::size_t i, Coefficient& x) const;
    const Inputs& inputs(std::size_t level);
    void sum(std::size_t level);
    void activate(std::size_t level);

    const Network& network_;
    std::vector<double> weights_;  // of w
    std::vector<Inputs> inputs_;   // [depth + 1]
    Buffer scratch_;
};

}  // namespace pyexpr
