// Moves cells through the levels, depth first, piece by piece of a trajectory. Decides nothing:
// every sign, order and equality is asked of Predicates.
//
// A level takes a slice of cells that are linear up to it, with its pre-activations on them.
// Events finds where its neurons switch, Refinement makes the next level's cells, and these are
// handed on, a chunk at a time. Memory is O(depth x chunk x width) however many regions there are.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "pyexpr/certificate.hpp"
#include "pyexpr/curve_events.hpp"
#include "pyexpr/curve_refinement.hpp"
#include "pyexpr/events.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/refinement.hpp"
#include "pyexpr/sinks.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

struct Options {
    std::size_t chunk = 128;             // cells handed to a level at a time
    std::function<void()> poll = [] {};  // called often; may throw to stop
    double* done = nullptr;  // where to tell how much of the trajectory is done, of 1
    bool certify = true;  // false to measure what the proof of a line's count costs
};

// The engine's memory, which one run after another can use.
struct Workspace {
    struct LineLevel {
        Events events;
        Refinement refinement;
    };
    struct CurveLevel {
        CurveEvents events;
        CurveRefinement refinement;
    };

    Partitions partitions;  // [depth + 1]
    std::vector<LineLevel> line_levels;  // [depth], where a piece is a line
    std::vector<CurveLevel> curve_levels;  // [depth], where a piece is a curve
    Scratch scratch;

    // Of the matrices, which are nearly all of it.
    std::size_t bytes() const;
};

// Sends the trajectory's cells to the sink and says how they were proved. Throws NotFinite where
// float64 overflows.
Certificate run(const Network& network, const Trajectory& trajectory, Sink& sink,
                Workspace& workspace, const Options& options = {});

}  // namespace pyexpr
