// What is kept of the cells that the engine finds. A new measurement is a new sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/predicates.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// What the engine must work out on the last cells.
enum class Need { number, letters, outputs };

class Sink {
public:
    virtual ~Sink() = default;
    virtual Need need() const = 0;
    // Before the cells of the trajectory's next piece.
    virtual void enter(std::size_t) {}
    // For Need::number: so many more cells.
    virtual void number(std::size_t) {}
    // Otherwise: the next cells along the piece, with all partitions that lead to them. The first
    // vertex is the last one of the call before.
    virtual void cells(const Partitions&, const Slice&, Predicates&) {}
    // After the last piece; how what was left to decide was decided.
    virtual Certificate finish() { return {}; }
};

// The two sides of a breakpoint.
struct Boundary {
    std::size_t piece;  // of a joint, the later one; of the seam, their number
    const Vertex& vertex;
    const Pattern& left;
    const Pattern& right;
};

// Calls `boundary` for every breakpoint, also for those between two slices or two pieces, and at
// the seam of a closed trajectory.
class BoundarySink : public Sink {
public:
    BoundarySink(const Network& network, const Trajectory& trajectory)
        : network_(network), trajectory_(trajectory), pools_(network.pools()) {}
    void enter(std::size_t piece) final { piece_ = piece; }
    void cells(const Partitions& partitions, const Slice& slice, Predicates& predicates) final;
    Certificate finish() final;

protected:
    const Network& network() const { return network_; }
    // Whether the trajectory is one piece, and not closed.
    bool is_simple() const { return trajectory_.pieces.size() == 1 && !trajectory_.closed; }
    bool pools() const { return pools_; }
    // For the first cell of the trajectory.
    virtual void begin(const Pattern&) {}
    // Before boundary() is called for the cell's left end.
    virtual void cell(const Partition&, std::size_t) {}
    virtual void boundary(const Boundary&, Predicates&) = 0;
    virtual void close() {}
    // Whether f feels a boundary between two pieces.
    bool joint_changes(const Boundary& boundary, Predicates& predicates) const;

private:
    // The letters of a cell, kept level by level.
    class Kept {
    public:
        void keep(const Network& network, const Pattern& pattern);
        void view(Pattern& out) const;

    private:
        std::vector<std::vector<Word>> levels_;
    };

    bool is_breakpoint(const Vertex& vertex);

    const Network& network_;
    const Trajectory& trajectory_;
    const bool pools_;
    std::size_t piece_ = 0;
    bool begun_ = false;
    Kept first_, last_;
    Pattern left_, right_;
    std::vector<Change> changes_;
};

// Activation regions. On one piece where no layer pools, every vertex is a strict crossing, hence a
// breakpoint, hence a cell is a region.
class CountRegions final : public BoundarySink {
public:
    CountRegions(const Network& network, const Trajectory& trajectory);
    Need need() const override { return counts_cells_ ? Need::number : Need::letters; }
    void number(std::size_t cells) override { breakpoints_ += static_cast<std::int64_t>(cells); }
    std::int64_t count() const;

protected:
    void boundary(const Boundary&, Predicates&) override { ++breakpoints_; }

private:
    const bool counts_cells_, closed_;
    std::int64_t breakpoints_;  // or cells less one
};

// Distinct patterns, which a curve may come back to.
class CountPatterns final : public BoundarySink {
public:
    using BoundarySink::BoundarySink;
    Need need() const override { return Need::letters; }
    std::int64_t count() const { return static_cast<std::int64_t>(patterns_.size()); }

protected:
    void begin(const Pattern& pattern) override { insert(pattern); }
    void boundary(const Boundary& boundary, Predicates&) override { insert(boundary.right); }

private:
    void insert(const Pattern& pattern);

    std::unordered_set<std::string> patterns_;
};

// A Change at a breakpoint.
struct Transition {
    std::int64_t breakpoint;
    std::int32_t layer, neuron;
    std::int16_t before, after;
};

// Transitions of every neuron.
class CountTransitions final : public BoundarySink {
public:
    CountTransitions(const Network& network, const Trajectory& trajectory);
    Need need() const override { return Need::letters; }

    std::vector<std::int64_t> counts;  // [neurons]

protected:
    void boundary(const Boundary& boundary, Predicates&) override;

private:
    std::vector<std::size_t> offsets_;
    std::vector<Change> changes_;
};

// Linear regions: cells merged across breakpoints that f does not feel.
class CountPieces : public BoundarySink {
public:
    CountPieces(const Network& network, const Trajectory& trajectory)
        : BoundarySink(network, trajectory), closed_(trajectory.closed) {}
    Need need() const override { return Need::outputs; }
    std::int64_t count() const;

protected:
    void cell(const Partition& cells, std::size_t cell) final;
    void boundary(const Boundary& boundary, Predicates& predicates) final;
    virtual void merged_or_not(const Boundary&, bool, Predicates&) {}

private:
    const bool closed_;
    std::int64_t bends_ = 0;
    Slopes before_, here_, after_;  // at the last cell's end, and at this one's ends
};

// Everything: breakpoints, transitions, which breakpoints f feels.
class Trace final : public CountPieces {
public:
    using CountPieces::CountPieces;

    std::vector<double> breakpoints;    // the nearest floats, in a piece's own parameter
    std::vector<std::int64_t> pieces;   // [breakpoints]: see Boundary
    std::vector<Transition> transitions;
    std::vector<std::uint8_t> bends;    // [breakpoints]: whether f's slope changes
    std::vector<std::int16_t> first_pattern;  // letters from 0, [neurons]

protected:
    void begin(const Pattern& pattern) override;
    void merged_or_not(const Boundary& boundary, bool bends, Predicates& predicates) override;

private:
    std::vector<Change> changes_;
};

}  // namespace pyexpr
