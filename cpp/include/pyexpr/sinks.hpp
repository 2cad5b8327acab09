// What is kept of the cells that the engine finds. A new measurement is a new sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/predicates.hpp"

namespace pyexpr {

// What the engine must work out on the last cells.
enum class Need { number, letters, outputs };

class Sink {
public:
    virtual ~Sink() = default;
    virtual Need need() const = 0;
    // For Need::number: so many more cells.
    virtual void number(std::size_t) {}
    // Otherwise: the next cells along the line, with all partitions that lead to them. The first
    // vertex is the last one of the call before.
    virtual void cells(const Partitions&, const Slice&, Predicates&) {}
};

// The two sides of a breakpoint.
struct Boundary {
    const Vertex& vertex;
    const Pattern& left;
    const Pattern& right;
};

// Calls `boundary` for every breakpoint, also for those between two slices.
class BoundarySink : public Sink {
public:
    explicit BoundarySink(const Network& network) : network_(network), pools_(network.pools()) {}
    void cells(const Partitions& partitions, const Slice& slice, Predicates& predicates) final;

protected:
    const Network& network() const { return network_; }
    bool pools() const { return pools_; }
    virtual void begin(const Partitions&, const Slice&) {}
    // Before boundary() is called for the cell's left end.
    virtual void cell(const Partition&, std::size_t) {}
    virtual void boundary(const Boundary&, Predicates&) = 0;

private:
    void keep(const Pattern& pattern);
    bool is_breakpoint();

    const Network& network_;
    const bool pools_;
    std::vector<std::vector<Word>> kept_;  // the last cell's letters, level by level
    Pattern left_, right_;
    std::vector<Change> changes_;
};

// Activation regions. Where no layer pools, every vertex is a strict crossing, hence a breakpoint,
// hence a cell is a region.
class CountRegions final : public BoundarySink {
public:
    explicit CountRegions(const Network& network);
    Need need() const override { return counts_cells_ ? Need::number : Need::letters; }
    void number(std::size_t cells) override { count += static_cast<std::int64_t>(cells); }

    std::int64_t count;

protected:
    void boundary(const Boundary&, Predicates&) override { ++count; }

private:
    const bool counts_cells_;
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
    explicit CountTransitions(const Network& network);
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
    using BoundarySink::BoundarySink;
    Need need() const override { return Need::outputs; }

    std::int64_t count = 1;

protected:
    void cell(const Partition& cells, std::size_t cell) override;
    void boundary(const Boundary& boundary, Predicates& predicates) override;
    virtual void merged_or_not(const Boundary&, bool, Predicates&) {}

private:
    Slopes before_, here_;
};

// Everything: breakpoints, transitions, which breakpoints f feels.
class Trace final : public CountPieces {
public:
    using CountPieces::CountPieces;

    std::vector<double> breakpoints;       // the nearest floats
    std::vector<Transition> transitions;
    std::vector<std::uint8_t> bends;       // [breakpoints]: whether f's slope changes
    std::vector<std::int16_t> first_pattern;  // letters from 0, [neurons]

protected:
    void begin(const Partitions& partitions, const Slice& slice) override;
    void merged_or_not(const Boundary& boundary, bool bends, Predicates& predicates) override;

private:
    std::vector<Change> changes_;
};

}  // namespace pyexpr
