// The network along a curve in exact integer arithmetic, one activation pattern at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "pyexpr/dyadic.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/polynomial.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// Under a fixed pattern every pre-activation, times the curve's w, is a polynomial with dyadic
// coefficients: sums and products, no division. Rows are computed on demand and kept while the
// pattern's letters of earlier levels stay the same, so that questions on one cell share their
// work. A polynomial comes in units of a power of two that depends on the level alone.
class ExactNetwork {
public:
    using Number = Integer;

    // `poll` is called often; it may throw to stop.
    ExactNetwork(const Network& network, const Piece& piece, std::function<void()> poll);

    // Sets the letters of the first pattern.size() levels.
    void set_pattern(const Pattern& pattern);

    // Pre-activation of a neuron (an output for level == depth). Needs the letters before `level`.
    const Polynomial<Integer>& pre_activation(std::size_t level, std::size_t neuron);
    // Pre-activation minus threshold.
    Polynomial<Integer> margin(std::size_t level, std::size_t neuron, std::size_t threshold);
    // Pre-activations of a level are in units of two to this power.
    int unit(std::size_t level) const { return pre_exponent_[level]; }

private:
    // Polynomials that are computed when they are asked for.
    class Lazy {
    public:
        explicit Lazy(std::size_t n) : values_(n), made_(n, 0) {}
        // What is known, or nullptr.
        const Polynomial<Integer>* get(std::size_t i) const {
            return made_[i] == now_ ? &values_[i] : nullptr;
        }
        const Polynomial<Integer>& set(std::size_t i, Polynomial<Integer> value) {
            made_[i] = now_;
            return values_[i] = std::move(value);
        }
        void forget() { ++now_; }

    private:
        std::vector<Polynomial<Integer>> values_;
        std::vector<std::uint64_t> made_;
        std::uint64_t now_ = 1;
    };

    void start(const Line& line);
    void start(const RationalBezier& curve);
    void find_exponents();
    // c += value w, for c in units of two to this power
    void add_constant(Polynomial<Integer>& c, const Dyadic& value, int exponent) const;
    void forget_from(std::size_t level);
    // An entry that the map into a level reads.
    const Polynomial<Integer>& input(std::size_t level, std::size_t entry);
    Polynomial<Integer> activate(std::size_t level, std::size_t neuron);

    const Network& network_;
    std::function<void()> poll_;
    std::vector<std::vector<Word>> letters_;  // [depth]
    std::vector<Lazy> inputs_, rows_;         // [depth + 1]: what maps read and make
    Polynomial<Integer> weights_;             // of w
    // Every input of a level (weight, pre-activation, slope) and of w is an integer times two to
    // this power.
    std::vector<int> in_exponent_, weight_exponent_, pre_exponent_, slope_exponent_;
    int w_exponent_ = 0;
};

}  // namespace pyexpr
