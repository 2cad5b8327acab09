// What users count: the neurons of activations, and the windows of max pooling.
//
// A window's largest entry moves up a binary tree. In a round, slots 2 i and 2 i + 1 of a window
// become slot i by max(left, right) = left + relu(right - left), and the differences are neurons of
// one level; equal ones are off there, so that the first of a window's largest entries wins. The
// window's letter is the slot that it comes from: which differences are positive in a subtree that
// loses is no matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "pyexpr/activation.hpp"
#include "pyexpr/bits.hpp"

namespace pyexpr {

class Network;

// Letters of all levels on one cell: for each level, one row of bits a threshold ("passed").
using Pattern = std::vector<const Word*>;

// The neurons of a level; their letters are the thresholds passed.
struct Elementwise {
    std::size_t level;
};

struct Round {
    // Instead of a neuron, where at most one of two slots is there.
    static constexpr std::int32_t left = -1, right = -2;

    std::size_t level;  // any, if nothing is compared
    std::size_t slots;  // of a window, after the round
    std::vector<std::int32_t> neuron;  // [windows, slots]: which one compares
    std::vector<std::uint32_t> window;  // [neurons]: whose it is

    Round(std::size_t level, std::size_t slots, std::vector<std::int32_t> neuron);
};

struct Pooling {
    std::size_t windows;
    std::vector<Round> rounds;

    // The slot that the window's largest entry comes from.
    std::size_t winner(const Pattern& pattern, std::size_t window) const;
};

using Layer = std::variant<Elementwise, Pooling>;

// One neuron changing letter.
struct Change {
    std::size_t layer, neuron, before, after;
};

// How many neurons the layer has.
std::size_t width(const Network& network, const Layer& layer);
std::size_t letter(const Network& network, const Layer& layer, const Pattern& pattern,
                   std::size_t neuron);
// The neurons whose letters differ between two cells, in graph order.
void find_changes(const Network& network, const Pattern& left, const Pattern& right,
                  std::vector<Change>& out);

}  // namespace pyexpr
