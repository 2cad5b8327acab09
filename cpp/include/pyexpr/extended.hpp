// The network along the line in double-double arithmetic, one activation pattern at a time: settles
// almost all that the filter cannot, at a small part of the cost of exact arithmetic.
#pragma once

#include <cstddef>
#include <vector>

#include "pyexpr/affine.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// The same questions as ExactLine, answered by balls. Levels whose letters, and those before, are
// the same as in the last pattern are kept.
class ExtendedLine {
public:
    using Number = Ball;

    ExtendedLine(const Network& network, const Line& line);

    // Sets the letters of the first pattern.size() levels.
    void set_pattern(const Pattern& pattern);
    // Pre-activation of a neuron (an output for level == depth). Needs the letters before `level`.
    Affine<Ball> pre_activation(std::size_t level, std::size_t neuron);
    // Pre-activation minus threshold.
    Affine<Ball> margin(std::size_t level, std::size_t neuron, std::size_t threshold);
    // t - root
    static Affine<Ball> vanishing_at(double root) { return {Ball(-root), Ball(1.0)}; }
    static int unit(std::size_t) { return 0; }

private:
    // One coefficient of many affine functions: value + low, |error|_2 <= eps.
    struct Coefficient {
        std::vector<double> high, low;
        double eps = 0;
        double norm = 0;  // >= |(value, 1)|_2

        void resize(std::size_t n);
        void bound_norm();
    };
    // What a level's map reads: the entries of the level before, and what its activation made them
    // from, which stays when only the letters of that level change.
    struct Inputs {
        std::vector<Word> letters;
        bool summed = false, ready = false;
        Coefficient a, b, sum_a, sum_b;
    };

    const Inputs& inputs(std::size_t level);
    void sum(std::size_t level);
    void activate(std::size_t level);

    const Network& network_;
    std::vector<Inputs> inputs_;  // [depth + 1]
    Buffer scratch_;
};

}  // namespace pyexpr
