// The network along the line in exact integer arithmetic, one activation pattern at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "pyexpr/affine.hpp"
#include "pyexpr/dyadic.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// Under a fixed pattern every pre-activation is an affine function of t with dyadic coefficients:
// sums and products, no division. Rows are computed on demand and kept while the pattern's
// letters of earlier levels stay the same, so that questions on one cell share their work.
// An affine function comes in units of a power of two that depends on the level alone.
class ExactLine {
public:
    using Number = Integer;

    // `poll` is called often; it may throw to stop.
    ExactLine(const Network& network, const Line& line, std::function<void()> poll);

    // Sets the letters of the first pattern.size() levels.
    void set_pattern(const Pattern& pattern);

    // Pre-activation of a neuron (an output for level == depth). Needs the letters before `level`.
    const Affine<Integer>& pre_activation(std::size_t level, std::size_t neuron);
    // Pre-activation minus threshold.
    Affine<Integer> margin(std::size_t level, std::size_t neuron, std::size_t threshold);
    // A positive multiple of t - root.
    static Affine<Integer> vanishing_at(double root);
    // Pre-activations of a level are in units of two to this power.
    int unit(std::size_t level) const { return pre_exponent_[level]; }

private:
    // Affine functions that are computed when they are asked for.
    class Lazy {
    public:
        explicit Lazy(std::size_t n) : values_(n), made_(n, 0) {}
        // What is known, or nullptr.
        const Affine<Integer>* get(std::size_t i) const {
            return made_[i] == now_ ? &values_[i] : nullptr;
        }
        const Affine<Integer>& set(std::size_t i, Affine<Integer> value) {
            made_[i] = now_;
            return values_[i] = std::move(value);
        }
        void forget() { ++now_; }

    private:
        std::vector<Affine<Integer>> values_;
        std::vector<std::uint64_t> made_;
        std::uint64_t now_ = 1;
    };

    void forget_from(std::size_t level);
    // An entry that the map into a level reads.
    const Affine<Integer>& input(std::size_t level, std::size_t entry);
    Affine<Integer> activate(std::size_t level, std::size_t neuron);

    const Network& network_;
    std::function<void()> poll_;
    std::vector<std::vector<Word>> letters_;  // [depth]
    std::vector<Lazy> inputs_, rows_;         // [depth + 1]: what maps read and make
    // Every input of a level (weight, pre-activation, slope) is an integer times two to this power.
    std::vector<int> in_exponent_, weight_exponent_, pre_exponent_, slope_exponent_;
};

}  // namespace pyexpr
