// Neurons that meet their thresholds together by their weights alone.
#pragma once

#include <cstddef>

#include "pyexpr/network.hpp"

namespace pyexpr {

struct Meeting {
    std::size_t neuron, threshold;
};

// Whether the weights of two neurons, thresholds included, are proportional: whatever comes before,
// they meet their thresholds together. This settles duplicates and scaled copies without looking
// at the levels before.
bool proportional(const Level& level, const Meeting& a, const Meeting& b);

}  // namespace pyexpr
