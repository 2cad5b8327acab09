#include "pyexpr/curve_events.hpp"

#include <cmath>
#include <utility>

#include "pyexpr/clusters.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// >= how much passing a threshold changes the neuron's output, where z - theta w should be zero.
double jump_at(const Level& level, const Partition& p, std::size_t cell, const CurveEvent& e,
               double t) {
    const auto q = static_cast<std::size_t>(e.vertex.neuron);
    const double theta = level.activation.threshold(static_cast<std::size_t>(e.vertex.threshold));
    const Bernstein<double> f = p.margin(cell, q, theta);
    const double length = p.length(cell);
    const double s = length > 0 ? (t - p.vertices[cell].t) / length : 0;
    const double value = evaluate(f, s, static_cast<double>(p.degree)).value;
    const double rounding = 16 * static_cast<double>(p.degree) * unit_roundoff *
                            p.margin_size(cell, q, theta);
    return up(2 * level.activation.lipschitz() * (std::abs(value) + rounding));
}

}  // namespace

void CurveEvents::find(const Network& network, const Partitions& partitions, const Slice& slice,
                       CurvePredicates& predicates) {
    const Level& level = network.level(slice.level);
    const Activation& phi = level.activation;
    const std::size_t words = phi.thresholds() * phi.words(), cells = slice.cells();
    left.resize(cells * words);
    crossing.resize(cells * words);
    events.clear();
    points.clear();
    first_point.assign(1, 0);
    predicates.begin_slice();
    for (std::size_t c = 0; c < cells; ++c) {
        const std::size_t first = events.size(), cell = slice.first + c;
        predicates.letters(partitions, slice, cell, {&left[c * words], &crossing[c * words]},
                           events);
        for_each_cluster(
            events, first, earliest_, [](const CurveEvent& e) { return e.vertex.t; },
            [&](const CurveEvent& a, const CurveEvent& b) {
                const int order = predicates.order(partitions, slice.level, cell, a, b);
                if (order != 0) return order < 0;
                return std::pair(a.vertex.neuron, a.vertex.threshold) <
                       std::pair(b.vertex.neuron, b.vertex.threshold);
            },
            [&](double latest, double earliest, double gap) {
                return predicates.surely_before(latest, earliest, gap);
            },
            [&](std::size_t begin, std::size_t end) {
                add_points(begin, end, level, partitions, slice, cell, predicates);
            });
        first_point.push_back(points.size());
    }
    right = left;
    for (std::size_t c = 0; c < cells; ++c)
        for (std::size_t i = first_point[c]; i < first_point[c + 1]; ++i)
            for (std::size_t e = points[i].first_event; e < points[i].last_event; ++e) {
                const Vertex& v = events[e].vertex;
                flip_bit(&right[c * words + static_cast<std::size_t>(v.threshold) * phi.words()],
                         static_cast<std::size_t>(v.neuron));
            }
    displace_ends(level, partitions[slice.level], slice);
}

// One cluster, sorted: equal events become one point.
void CurveEvents::add_points(std::size_t begin, std::size_t end, const Level& level,
                             const Partitions& partitions, const Slice& slice, std::size_t cell,
                             CurvePredicates& predicates) {
    const std::size_t first_of_cluster = points.size();
    for (std::size_t i = begin; i < end; ++i) {
        const bool same = i > begin && predicates.order(partitions, slice.level, cell,
                                                        events[i - 1], events[i]) == 0;
        if (!same) {
            points.push_back({events[i].vertex, 0, i, i + 1});
            continue;
        }
        points.back().last_event = i + 1;
        if (events[i].vertex.tau < points.back().vertex.tau)
            points.back().vertex = events[i].vertex;
    }
    const Partition& p = partitions[slice.level];
    for (std::size_t i = first_of_cluster; i < points.size(); ++i)
        points[i].vertex.piece = p.vertices[cell].piece;
    double latest = p.vertices[cell].t;
    for (std::size_t i = first_of_cluster; i < points.size(); ++i) {
        CurvePoint& point = points[i];
        // Floats follow the true order.
        if (point.vertex.t < latest) {
            point.vertex.tau = up(point.vertex.tau + (latest - point.vertex.t));
            point.vertex.t = latest;
        }
        latest = point.vertex.t;
        for (std::size_t e = point.first_event; e < point.last_event; ++e)
            point.displacement += jump_at(level, p, cell, events[e], point.vertex.t);
    }
}

// A neuron that switches where two cells meet does so a little beside their common float.
void CurveEvents::displace_ends(const Level& level, const Partition& p, const Slice& slice) {
    const Activation& phi = level.activation;
    const std::size_t words = phi.thresholds() * phi.words(), cells = slice.cells();
    displacement.assign(cells + 1, 0.0);
    for (std::size_t c = 1; c < cells; ++c) {
        const std::size_t row = p.first_row(slice.first + c);
        for (std::size_t w = 0; w < words; ++w)
            for_each_bit(right[(c - 1) * words + w] ^ left[c * words + w], w % phi.words() * 64,
                         [&](std::size_t q) {
                             const double theta = phi.threshold(w / phi.words());
                             const double of_w = theta * p.weights[row], z = p.row(row)[q];
                             const double size = std::abs(z) + std::abs(of_w);
                             displacement[c] += 2 * phi.lipschitz() *
                                                (std::abs(z - of_w) + 4 * unit_roundoff * size);
                         });
        displacement[c] = up(displacement[c]);
    }
}

}  // namespace pyexpr
