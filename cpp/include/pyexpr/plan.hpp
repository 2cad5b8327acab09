// Which levels of a network are kept in double-double, before anything is counted.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "pyexpr/network.hpp"

namespace pyexpr {

// By how much the maps' norms let an error grow, and which levels' rounding that makes large: the
// first levels have few cells, but what they lose grows through all that follow.
struct Plan {
    // [depth + 1]: of an error in a level's inputs up to the last level; that of the first is unused.
    std::vector<double> growth;
    std::size_t extended_levels = 0;  // a line's partitions before it have extended rows

    // Without `certify` nothing is extended. `poll` is called now and then; it may throw to stop.
    Plan(const Network& network, bool certify, const std::function<void()>& poll);
};

}  // namespace pyexpr
