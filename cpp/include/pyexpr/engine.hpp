// Moves cells through the levels, depth first. Decides nothing: every sign, order and equality is
// asked of Predicates.
//
// A level takes a slice of cells that are linear up to it, with its pre-activations at their
// vertices. Events finds where its neurons switch, Refinement makes the next level's cells, and
// these are handed on, a chunk at a time. Memory is O(depth x chunk x width) however many regions
// there are.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "pyexpr/events.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/predicates.hpp"
#include "pyexpr/refinement.hpp"
#include "pyexpr/sinks.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

struct Options {
    std::size_t chunk = 128;             // cells handed to a level at a time
    std::function<void()> poll = [] {};  // called often; may throw to stop
    bool certify = true;                 // false to measure what the proof of a count costs
};

// The engine's memory, which one run after another can use.
struct Workspace {
    struct Level {
        Events events;
        Refinement refinement;
    };

    Partitions partitions;      // [depth + 1]
    std::vector<Level> levels;  // [depth]
    Scratch scratch;

    // Of the matrices, which are nearly all of it.
    std::size_t bytes() const;
};

class Engine {
public:
    Engine(const Network& network, const Line& line, Sink& sink, Workspace& workspace,
           Options options = {});

    // Sends the line's cells to the sink. Throws NotFinite where float64 overflows.
    void run();

    const Certificate& certificate() const { return predicates_.certificate(); }
    double gemm_flops() const { return workspace_.scratch.gemm_flops; }

private:
    void plan();
    void start();
    void descend(const Slice& slice);
    void refine(const Slice& slice);
    void hand_on(std::size_t level);

    const Network& network_;
    const Line& line_;
    Sink& sink_;
    Options options_;
    Predicates predicates_;
    Workspace& workspace_;
    Partitions& partitions_;            // [depth + 1]
    std::vector<double> growth_;  // [depth]: of an error in a level's inputs up to the last
    std::size_t extended_levels_ = 0;  // partitions before it have extended rows
};

}  // namespace pyexpr
