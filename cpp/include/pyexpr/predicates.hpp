// The three questions on which every count rests, each asked of a float64 filter first, then of
// float64 sensitivities on one cell, of double-double arithmetic, and of exact integers:
//   1. the sign of a pre-activation minus a threshold at a vertex,
//   2. the order, or equality, of two breakpoints inside one cell,
//   3. whether f's slope changes between two cells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "pyexpr/adjoint.hpp"
#include "pyexpr/cancellation.hpp"
#include "pyexpr/certificate.hpp"
#include "pyexpr/exact.hpp"
#include "pyexpr/extended.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// A neuron meets a threshold strictly inside a cell, at t up to tau.
struct Event {
    double t;
    mutable double tau;  // the adjoint makes it smaller where a decision needs that
    double miss;         // >= |z_computed(t) - threshold|
    double rate;         // >= |dz_computed/dt| on the cell
    double size;         // what rounding errors of phi at the event are relative to
    std::int32_t neuron, threshold;
    bool crosses;  // whether z_computed does so, too

    double earliest() const { return t - tau; }
    double latest() const { return t + tau; }
};

// Signs of all neurons against all thresholds of a level at one vertex.
struct SignRow {
    Word* positive;       // [thresholds, words]
    Word* zero;           // [thresholds, words]
    double displacement;  // what the undecided neurons add to the vertex's eps
};

// f's slope on a cell with its error, output by output, from the values at the cell's ends.
struct Slopes {
    std::vector<double> value, error;

    // False if a value is not finite.
    bool measure(const AffineMap& readout, const Partition& cells, std::size_t cell);
};

class Predicates {
public:
    // Without `certify` the float64 values are believed, as other programs do.
    Predicates(const Network& network, const Line& line, bool certify = true);

    // 1. Throws NotFinite if a pre-activation overflowed.
    void signs(const Partitions& partitions, const Slice& slice, std::size_t vertex, SignRow& out);
    // 2. -1, 0, 1; both events in `cell` of partitions[level].
    int order(const Partitions& partitions, std::size_t level, std::size_t cell, const Event& a,
              const Event& b);
    // Whether the bounds alone prove that what ends at `latest` lies before what begins at
    // `earliest`, by about `gap`.
    bool surely_before(double latest, double earliest, double gap);
    // 3. `left` and `right` are the patterns of neighbouring cells, a and b their slopes.
    bool slope_changes(const Slopes& a, const Slopes& b, const Pattern& left, const Pattern& right);
    // The float nearest to a breakpoint (ties to even), given the pattern of a neighbouring cell.
    double position(const Pattern& pattern, const Vertex& vertex);

    const Certificate& certificate() const { return certificate_; }
    // Called before every decision that the filter leaves; may throw to stop.
    std::function<void()> poll = [] {};

private:
    // The letters on both sides of a vertex, and at a slice's first question those of all of it.
    void gather_letters(const Partitions& partitions, const Slice& slice, std::size_t vertex);
    // Whether a neuron is plainly its bias at the vertex whose letters were gathered.
    bool is_bias(const Vertex& vertex, std::size_t level, std::size_t neuron);
    void settle_signs(const Partitions& partitions, const Slice& slice, std::size_t vertex,
                      std::size_t threshold, SignRow& out);
    // The answer of double-double or else exact arithmetic.
    template <class Ask>
    auto settle(Tally& tally, Ask&& ask);
    // The filter's question with the adjoint's bounds; empty where these are not certain.
    std::optional<int> adjoint_sign(const Partitions& partitions, const Slice& slice,
                                    std::size_t vertex, std::size_t neuron, std::size_t threshold);
    // Makes an event's tau smaller where that is possible, and needed: if it exceeds `enough`.
    void sharpen(const Partitions& partitions, std::size_t level, std::size_t cell,
                 const Event& event, double enough);
    // >= |t - t*| of a vertex of a cell of partitions[level].
    double position_error(const Partitions& partitions, std::size_t level, std::size_t cell,
                          const Vertex& vertex, double enough);
    // On pattern_, the vertex's neighbouring cell; `scale` is what its gap is relative to.
    int sign_at(const Vertex& vertex, std::size_t level, std::size_t neuron, std::size_t threshold,
                double scale);
    bool dead_between(const Pattern& left, const Pattern& right) const;

    const Network& network_;
    const Line& line_;
    const bool certify_;
    Adjoint adjoint_;
    Cancellation cancellation_;
    SliceLetters slice_letters_;
    // [words]: neurons tried on the slice's letters, and those that are their bias there.
    std::vector<Word> tried_, biases_;
    std::optional<ExtendedLine> extended_;  // both made when first needed
    std::optional<ExactLine> exact_;
    Pattern pattern_, before_;
    Certificate certificate_;
};

// Raised where float64 overflows: the values are too large to locate a breakpoint.
struct NotFinite {
    std::size_t level;
};

}  // namespace pyexpr
