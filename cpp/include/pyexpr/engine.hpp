// Moves cells through the levels, depth first, piece by piece of a trajectory. Decides nothing:
// signs, orders and equalities are asked of Predicates, and Screening proves which neurons need not
// be asked about.
//
// A level takes a slice of cells that are linear up to it, with its pre-activations on them.
// Events finds where its neurons switch, Refinement makes the next level's cells, and these are
// handed on, a chunk at a time. Memory is O(depth x chunk x width) however many regions there are.
// Lines are taken in groups, whose cells share chunks. Where there are more threads, the chunks that
// are next are given to those that wait, the largest first.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
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
    std::size_t chunk = 128;  // cells handed to a level at a time
    std::size_t threads = 1;  // at most, with the caller's
    std::function<void()> poll = [] {};  // called often, by the caller's thread; may throw to stop
    std::atomic<double>* done = nullptr;  // where to add how much of the trajectory is done, of 1
    bool certify = true;  // false to measure what the proof of a line's count costs
};

// The memory of one thread of the engine.
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

// Workspaces that one run after another can use: fresh memory costs as much as a small count.
class Workspaces {
public:
    explicit Workspaces(std::size_t most_bytes = std::size_t{64} << 20) : most_bytes_(most_bytes) {}

    std::unique_ptr<Workspace> take();
    // Keeps it for later if it is not too large.
    void give(std::unique_ptr<Workspace> workspace);
    // Of all products since the last call.
    double take_flops();

private:
    const std::size_t most_bytes_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Workspace>> kept_;
    double flops_ = 0;
};

// Sends the trajectory's cells to the sink and says how they were proved. Throws NotFinite where
// float64 overflows; always the same one.
Certificate run(const Network& network, const Trajectory& trajectory, Sink& sink,
                Workspaces& workspaces, const Options& options = {});

}  // namespace pyexpr
