// Where the neurons of one level change their letters along a curve, cell by cell, in true order.
#pragma once

#include <cstddef>
#include <vector>

#include "pyexpr/curve_predicates.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"

namespace pyexpr {

// A breakpoint inside a cell and the events (consecutive, at least one) that happen at it.
struct CurvePoint {
    Vertex vertex;
    double displacement;  // how far the outputs on both sides of it are apart at its float
    std::size_t first_event, last_event;
};

struct CurveEvents {
    // Fills everything below for the slice.
    void find(const Network& network, const Partitions& partitions, const Slice& slice,
              CurvePredicates& predicates);

    std::vector<CurveEvent> events;          // in order along the slice
    std::vector<CurvePoint> points;          // in order along the slice
    std::vector<std::size_t> first_point;    // [cells + 1]
    std::vector<double> displacement;        // [cells + 1]: the same for the cells' ends
    // [cells, letter words]: letters at the cell's ends, and what is crossed inside.
    std::vector<Word> left, right, crossing;

private:
    void add_points(std::size_t begin, std::size_t end, const Level& level,
                    const Partitions& partitions, const Slice& slice, std::size_t cell,
                    CurvePredicates& predicates);
    void displace_ends(const Level& level, const Partition& p, const Slice& slice);

    std::vector<double> earliest_;
};

}  // namespace pyexpr
