// What is kept of the cells that the engine finds. A new measurement is a new sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/predicates.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// What the engine must work out on the last cells.
enum class Need { number, letters, outputs };

// Predicates for any piece.
class PredicatesOf {
public:
    virtual ~PredicatesOf() = default;
    virtual Predicates& piece(std::size_t number) = 0;
};

class Sink {
public:
    virtual ~Sink() = default;
    virtual Need need() const = 0;
    // For Need::number: so many more cells of a piece.
    virtual void number(std::size_t, std::size_t) {}
    // Otherwise: the next cells along the trajectory, with all partitions that lead to them. The
    // first vertex is the last one of the call before, or the first of a piece.
    virtual void cells(const Partitions&, const Slice&, PredicatesOf&) {}
    // After the last piece; how what was left to decide was decided.
    virtual Certificate finish() { return {}; }
    // A new one for what comes later on the trajectory.
    virtual std::unique_ptr<Sink> fork() const = 0;
    // Takes over what such a one gathered right behind this one.
    virtual void append(Sink& next, PredicatesOf& predicates) = 0;
};

// The two sides of a breakpoint.
struct Boundary {
    std::size_t piece;  // of a joint, the later one; of the seam, their number
    const Vertex& vertex;
    const Pattern& left;
    const Pattern& right;
};

// Calls `boundary` for every breakpoint, also for those between two slices, two sinks or two pieces,
// and at the seam of a closed trajectory.
class BoundarySink : public Sink {
public:
    BoundarySink(const Network& network, const Trajectory& trajectory)
        : network_(network), trajectory_(trajectory), pools_(network.pools()) {}
    void cells(const Partitions& partitions, const Slice& slice, PredicatesOf& predicates) final;
    Certificate finish() final;
    void append(Sink& next, PredicatesOf& predicates) final;

protected:
    const Network& network() const { return network_; }
    const Trajectory& trajectory() const { return trajectory_; }
    // Whether the trajectory is one piece, and not closed.
    bool is_simple() const { return trajectory_.pieces.size() == 1 && !trajectory_.closed; }
    bool pools() const { return pools_; }
    // For the first cell of the sink.
    virtual void begin(const Pattern&) {}
    // Before boundary() is called for the cell's left end.
    virtual void cell(const Partition&, std::size_t) {}
    virtual void boundary(const Boundary&, Predicates&) = 0;
    // Makes what cell() told the last time before `next` began what it told there.
    virtual void approach(const BoundarySink&) {}
    // Adds up what was gathered, boundary between both included.
    virtual void absorb(BoundarySink& next) = 0;
    // After the cells of one call.
    virtual void pause() {}
    // Whether f feels a boundary between two pieces.
    bool joint_changes(const Boundary& boundary, Predicates& predicates) const;
    bool has_begun() const { return begun_; }

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
    bool begun_ = false;
    Vertex first_vertex_;
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
    void number(std::size_t, std::size_t cells) override {
        found_ += static_cast<std::int64_t>(cells);
    }
    std::unique_ptr<Sink> fork() const override {
        return std::make_unique<CountRegions>(network(), trajectory());
    }
    std::int64_t count() const;

protected:
    void boundary(const Boundary&, Predicates&) override { ++found_; }
    void absorb(BoundarySink& next) override { found_ += static_cast<CountRegions&>(next).found_; }

private:
    const bool counts_cells_, closed_;
    std::int64_t found_ = 0;  // cells or breakpoints
};

// Distinct patterns, which a curve may come back to.
class CountPatterns final : public BoundarySink {
public:
    using BoundarySink::BoundarySink;
    Need need() const override { return Need::letters; }
    std::unique_ptr<Sink> fork() const override {
        return std::make_unique<CountPatterns>(network(), trajectory());
    }
    std::int64_t count() const { return static_cast<std::int64_t>(patterns_.size()); }

protected:
    void absorb(BoundarySink& next) override {
        patterns_.merge(static_cast<CountPatterns&>(next).patterns_);
    }
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
    std::int32_t unused = 0;  // so that numpy finds no byte undefined
};
static_assert(std::has_unique_object_representations_v<Transition>);

// Transitions of every neuron.
class CountTransitions final : public BoundarySink {
public:
    CountTransitions(const Network& network, const Trajectory& trajectory);
    Need need() const override { return Need::letters; }

    std::unique_ptr<Sink> fork() const override {
        return std::make_unique<CountTransitions>(network(), trajectory());
    }

    std::vector<std::int64_t> counts;  // [neurons]

protected:
    void absorb(BoundarySink& next) override;
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
    std::unique_ptr<Sink> fork() const override {
        return std::make_unique<CountPieces>(network(), trajectory());
    }
    std::int64_t count() const;

protected:
    void begin(const Pattern&) override { first_ = here_; }
    void cell(const Partition& cells, std::size_t cell) final;
    void boundary(const Boundary& boundary, Predicates& predicates) final;
    virtual void merged_or_not(const Boundary&, bool, Predicates&) {}
    void approach(const BoundarySink& next) final;
    void absorb(BoundarySink& next) override;

private:
    const bool closed_;
    std::int64_t bends_ = 0;
    // At the last cell's end, and at this one's ends; where the sink's first cell begins.
    Slopes before_, here_, after_, first_;
};

// Everything: breakpoints, transitions, which breakpoints f feels.
class Trace final : public CountPieces {
public:
    // Now and then `look` may look at what has been found, or take it.
    using Look = std::function<void(Trace&)>;

    Trace(const Network& network, const Trajectory& trajectory, Look look = {})
        : CountPieces(network, trajectory), look_(std::move(look)) {}
    std::unique_ptr<Sink> fork() const override {
        return std::make_unique<Trace>(network(), trajectory(), look_);
    }

    std::vector<double> breakpoints;    // the nearest floats, in a piece's own parameter
    std::vector<std::int64_t> pieces;   // [breakpoints]: see Boundary
    std::vector<Transition> transitions;
    std::vector<std::uint8_t> bends;    // [breakpoints]: whether f's slope changes
    std::vector<std::int16_t> first_pattern;  // letters from 0, [neurons]

    std::size_t bytes() const;
    std::size_t noted_bytes = 0;  // for `look` to remember

protected:
    void begin(const Pattern& pattern) override;
    void merged_or_not(const Boundary& boundary, bool bends, Predicates& predicates) override;
    void absorb(BoundarySink& next) override;
    void pause() override {
        if (look_) look_(*this);
    }

private:
    const Look look_;
    std::vector<Change> changes_;
};

}  // namespace pyexpr
