// The questions about a line.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "pyexpr/predicates.hpp"

namespace pyexpr {

// A neuron meets a threshold strictly inside a cell, at t up to tau.
struct Event {
    double t;
    mutable double tau;  // the adjoint makes it smaller where a decision needs that; 0: t is exact
    double miss;  // >= |z_computed(t) - threshold|
    double rate;  // >= |dz_computed/dt| on the cell
    double size;  // what rounding errors of phi at the event are relative to
    std::int32_t neuron, threshold;
    bool crosses;  // whether z_computed does so, too

    double earliest() const { return t - tau; }
    double latest() const { return t + tau; }
};

// Signs of all neurons against all thresholds of a level at one vertex.
struct SignRow {
    Word* positive;  // [thresholds, words]
    Word* zero;  // [thresholds, words]
    double displacement;  // what the undecided neurons add to the vertex's eps
};

class LinePredicates final : public Predicates {
public:
    // Without `certify` the float64 values are believed, as other programs do.
    LinePredicates(const Network& network, const std::vector<Piece>& pieces, bool certify = true);

    // 1. Throws NotFinite if a pre-activation overflowed.
    void signs(const Partitions& partitions, const Slice& slice, std::size_t vertex, SignRow& out);
    // 2. -1, 0, 1; both events in `cell` of partitions[level].
    int order(const Partitions& partitions, std::size_t level, std::size_t cell, const Event& a,
              const Event& b);

private:
    void spread(const Partition& p, const Activation& phi, std::size_t n, bool first, bool decided,
                SignRow& out);
    double settle_position(const Pattern& pattern, const Vertex& vertex) override;
    // Whether a neuron is plainly its bias at the vertex whose letters were gathered.
    bool is_bias(const Partitions& partitions, const Slice& slice, std::size_t vertex,
                 std::size_t neuron);
    // What the filter leaves where the row and the vertex are exact.
    void read_signs(const Partition& p, std::size_t vertex, std::span<const double> thresholds,
                    std::size_t words, SignRow& out) const;
    void settle_signs(const Partitions& partitions, const Slice& slice, std::size_t vertex,
                      std::size_t threshold, SignRow& out);
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

    Pattern pattern_, before_;
    // Of a partial row: the filter's bits, those of the vertex before, and all neurons'.
    std::vector<Word> filtered_, undecided_, last_filtered_, positive_;
};

}  // namespace pyexpr
