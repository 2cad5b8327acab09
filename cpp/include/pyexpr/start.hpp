// Pieces of a trajectory as cells before the first level.
#pragma once

#include <cstddef>

#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/refinement.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// Pieces first .. last - 1: lines, with gaps between them, or one curve. With `extended` a line's rows
// are made in double-double.
void start(const Network& network, const Trajectory& trajectory, std::size_t first,
           std::size_t last, bool extended, Partition& whole, Scratch& scratch);

}  // namespace pyexpr
