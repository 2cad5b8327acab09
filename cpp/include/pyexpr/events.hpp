// Where the neurons of one level change their letters, cell by cell, in true order.
#pragma once

#include <cstddef>
#include <vector>

#include "pyexpr/line_predicates.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"

namespace pyexpr {

// A breakpoint inside a cell and the events (consecutive, at least one) that happen at it.
struct Point {
    Vertex vertex;
    double displacement;  // what switching there adds to the vertex's eps
    std::size_t first_event, last_event;
};

struct Events {
    // Fills everything below for the slice.
    void find(const Network& network, const Partitions& partitions, const Slice& slice,
              LinePredicates& predicates);

    std::vector<Event> events;               // in order along the slice
    std::vector<Point> points;               // in order along the slice
    std::vector<std::size_t> first_point;    // [cells + 1]
    std::vector<double> displacement;        // [vertices]: of the undecided neurons
    std::vector<Word> left, crossing;        // [cells, letter words]: left letters, what changes

private:
    void find_letters(const Activation& phi);
    void locate(const Level& level, const Partition& p, std::size_t cell, std::size_t neuron,
                std::size_t threshold);
    static void locate_exactly(const Partition& p, std::size_t cell, double theta, Event& e);
    void order_cell(const Partitions& partitions, const Slice& slice, std::size_t cell,
                    std::size_t first, double lipschitz, LinePredicates& predicates);
    void add_points(std::size_t first, std::size_t last, const Partitions& partitions,
                    const Slice& slice, std::size_t cell, double lipschitz,
                    LinePredicates& predicates);

    static double mismatch(const Event& e, std::size_t index, const Point& point);

    std::vector<Word> positive_, zero_;  // [vertices, letter words]
    std::vector<double> earliest_;       // [events]: bound on where this and later ones are
};

}  // namespace pyexpr
