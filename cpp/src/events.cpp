#include "pyexpr/events.hpp"

#include <algorithm>
#include <cmath>

#include "pyexpr/clusters.hpp"
#include "pyexpr/lossless.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

void Events::find(const Network& network, const Partitions& partitions, const Slice& slice,
                  LinePredicates& predicates) {
    const Level& level = network.level(slice.level);
    const Activation& phi = level.activation;
    const Partition& p = partitions[slice.level];
    const std::size_t words = phi.thresholds() * phi.words(), cells = slice.cells();
    positive_.resize((cells + 1) * words);
    zero_.resize((cells + 1) * words);
    displacement.resize(cells + 1);
    for (std::size_t v = 0; v <= cells; ++v) {
        SignRow row{&positive_[v * words], &zero_[v * words], 0};
        predicates.signs(partitions, slice, slice.first + v, row);
        displacement[v] = row.displacement;
    }
    left.resize(cells * words);
    crossing.resize(cells * words);
    find_letters(phi);

    events.clear();
    points.clear();
    first_point.assign(1, 0);
    for (std::size_t c = 0; c < cells; ++c) {
        const std::size_t first = events.size();
        if (p.is_gap(slice.first + c)) {
            std::fill_n(&crossing[c * words], words, Word{0});
            first_point.push_back(points.size());
            continue;
        }
        for (std::size_t w = 0; w < words; ++w)
            for_each_bit(crossing[c * words + w], (w % phi.words()) * 64, [&](std::size_t q) {
                locate(level, p, slice.first + c, q, w / phi.words());
            });
        order_cell(partitions, slice, slice.first + c, first, phi.lipschitz(), predicates);
        first_point.push_back(points.size());
    }
}

// A neuron that is zero at one end has the other end's letter; zero at both, it is identically
// zero on the cell and its letter is a convention.
void Events::find_letters(const Activation& phi) {
    const std::size_t words = phi.thresholds() * phi.words();
    for (std::size_t i = 0; i < left.size(); ++i) {
        const Word pos_a = positive_[i], pos_b = positive_[i + words];
        const Word zero_a = zero_[i], zero_b = zero_[i + words];
        left[i] = pos_a;
        crossing[i] = pos_a ^ pos_b;
        if ((zero_a | zero_b) == 0) continue;
        const std::size_t row = i % words;
        const Word tie = phi.passed_on_tie(row / phi.words())[row % phi.words()];
        left[i] |= zero_a & (pos_b | (zero_b & tie));
        crossing[i] &= ~(zero_a | zero_b);
    }
}

void Events::locate(const Level& level, const Partition& p, std::size_t cell, std::size_t neuron,
                    std::size_t threshold) {
    const Vertex& from = p.vertices[cell];
    const Vertex& to = p.vertices[cell + 1];
    const double theta = level.activation.threshold(threshold);
    const double norm = level.map().row_norms()[neuron];
    const Pair first = p.entry(cell, neuron), second = p.entry(cell + 1, neuron);
    const double a = (first.high - theta) + first.low, b = (second.high - theta) + second.low;
    const double length = to.t - from.t, change = std::abs(a - b);
    const double error_a = norm * p.alpha(cell) + underflow;
    const double error_b = norm * p.alpha(cell + 1) + underflow;

    Event e{from.t,
            up(length + from.tau + to.tau),
            up(std::abs(a)),
            0,
            level.activation.lipschitz() *
                (std::abs(first.high) + std::abs(second.high) + std::abs(theta)),
            static_cast<std::int32_t>(neuron),
            static_cast<std::int32_t>(threshold),
            false};
    if (length > 0) {
        const bool opposite = (a > 0 && b < 0) || (a < 0 && b > 0);
        const double s = opposite ? a / (a - b) : (std::abs(a) < std::abs(b) ? 0.0 : 1.0);
        e.t = s == 1 ? to.t : std::clamp(from.t + s * length, from.t, to.t);
        e.rate = up(change / length);
        e.miss = up(std::min(std::abs(a), std::abs(b)));
        e.crosses = opposite;
        if (opposite)
            e.miss = up(8 * unit_roundoff * change + (unit_roundoff * to.t + underflow) * e.rate);
        // The true breakpoint lies in the true cell; where the slope is sure, close to t.
        const double sure = change * (1 - 0x1p-20) - 2 * (error_a + error_b);
        if (opposite && sure > 0)
            e.tau = std::min(e.tau,
                             up((std::max(error_a, error_b) + e.miss) / sure * length + underflow));
        if (opposite) locate_exactly(p, cell, theta, e);
    }
    events.push_back(e);
}

// Where nothing is rounded, t is the breakpoint.
void Events::locate_exactly(const Partition& p, std::size_t cell, double theta, Event& e) {
    const Vertex &from = p.vertices[cell], &to = p.vertices[cell + 1];
    if (from.tau != 0 || to.tau != 0 || !p.is_exact(cell) || !p.is_exact(cell + 1)) return;
    const auto q = static_cast<std::size_t>(e.neuron);
    Lossless exact;
    const double a = exact.difference(p.value(cell, q), theta);
    const double b = exact.difference(p.value(cell + 1, q), theta);
    const double s = exact.quotient(a, exact.difference(a, b));
    const double t = exact.sum(from.t, exact.product(s, exact.difference(to.t, from.t)));
    if (!exact.exact()) return;
    e.t = t;
    e.tau = e.miss = 0;
}

void Events::order_cell(const Partitions& partitions, const Slice& slice, std::size_t cell,
                        std::size_t first, double lipschitz, LinePredicates& predicates) {
    for_each_cluster(
        events, first, earliest_, [](const Event& e) { return e.t; },
        [&](const Event& a, const Event& b) {
            const int order = predicates.order(partitions, slice.level, cell, a, b);
            if (order != 0) return order < 0;
            return std::pair(a.neuron, a.threshold) < std::pair(b.neuron, b.threshold);
        },
        [&](double latest, double earliest, double gap) {
            return predicates.surely_before(latest, earliest, gap);
        },
        [&](std::size_t begin, std::size_t end) {
            add_points(begin, end, partitions, slice, cell, lipschitz, predicates);
        });
}

// One cluster, sorted: equal events become one point.
void Events::add_points(std::size_t begin, std::size_t end, const Partitions& partitions,
                        const Slice& slice, std::size_t cell, double lipschitz,
                        LinePredicates& predicates) {
    const std::size_t first_point_of_cluster = points.size();
    for (std::size_t i = begin; i < end; ++i) {
        const Event& e = events[i];
        const bool same = i > begin &&
                          predicates.order(partitions, slice.level, cell, events[i - 1], e) == 0;
        if (same) {
            Point& point = points.back();
            point.last_event = i + 1;
            if (e.tau < point.vertex.tau) {
                point.vertex.t = e.t;
                point.vertex.tau = e.tau;
            }
        } else {
            Vertex vertex{e.t, e.tau, static_cast<std::int32_t>(slice.level), e.neuron,
                          e.threshold};
            vertex.piece = partitions[slice.level].vertices[cell].piece;
            points.push_back({vertex, 0, i, i + 1});
        }
    }
    double latest = partitions[slice.level].vertices[cell].t;
    for (std::size_t i = first_point_of_cluster; i < points.size(); ++i) {
        // Floats follow the true order.
        Vertex& v = points[i].vertex;
        if (v.t < latest) {
            v.tau = up(v.tau + (latest - v.t));
            v.t = latest;
        }
        latest = v.t;
        for (std::size_t j = begin; j < end; ++j)
            points[i].displacement += 2 * lipschitz * mismatch(events[j], j, points[i]);
        points[i].displacement = up(points[i].displacement);
    }
}

// Beside a vertex, z_computed of an event of the same cluster may be on another side of the
// threshold than its letter says. Its piece there differs from phi by the jump in slope times the
// distance to the threshold, for which this is a bound.
double Events::mismatch(const Event& e, std::size_t index, const Point& point) {
    const double distance = std::abs(point.vertex.t - e.t);
    const bool own = point.first_event <= index && index < point.last_event;
    const bool in_order = index < point.first_event ? e.t < point.vertex.t : e.t > point.vertex.t;
    if (own || !in_order || !e.crosses) return e.miss + e.rate * distance;
    return std::max(0.0, e.miss - e.rate * distance * (1 - 0x1p-20));
}

}  // namespace pyexpr
