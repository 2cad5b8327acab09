#include "pyexpr/curve_predicates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pyexpr/kernels.hpp"
#include "pyexpr/proportional.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

double largest_step(const Bernstein<double>& f) {
    double out = 0;
    for (std::size_t i = 0; i < f.degree; ++i) out = std::max(out, std::abs(f[i + 1] - f[i]));
    return out;
}

bool same_signs(const Bernstein<double>& f, double bound) {
    const auto end = f.c.begin() + static_cast<std::ptrdiff_t>(f.degree) + 1;
    return std::all_of(f.c.begin(), end, [=](double c) { return c > bound; }) ||
           std::all_of(f.c.begin(), end, [=](double c) { return c < -bound; });
}

Meeting meeting(const Vertex& v) {
    return {static_cast<std::size_t>(v.neuron), static_cast<std::size_t>(v.threshold)};
}

}  // namespace

CurvePredicates::CurvePredicates(const Network& network, const std::vector<Piece>& pieces,
                                 bool certify)
    : Predicates(network, pieces, certify) {}

void CurvePredicates::letters(const Partitions& partitions, const Slice& slice, std::size_t cell,
                              const CellLetters& out, std::vector<CurveEvent>& events) {
    const Partition& p = partitions[slice.level];
    const Level& level = network_.level(slice.level);
    const Activation& phi = level.activation;
    const std::size_t n = phi.width(), words = phi.words(), first = p.first_row(cell);
    enter(p.vertices[cell].piece);
    const double tau = std::max(p.vertices[cell].tau, p.vertices[cell + 1].tau);
    const double alpha = p.largest(p.eps, cell) + p.largest_rho(cell);
    const double norm = p.largest(p.norm, cell), reach = p.speeds[cell] * tau;
    Tally& tally = certificate_.signs;
    negative_.resize(phi.thresholds() * words);
    FilteredCell filter{out.left, negative_.data(), tally.gap * norm};
    filter_cell({p.row(first), p.width, p.degree, &p.weights[first]}, level.map().row_norms(), n,
                phi.all_thresholds(), {up(alpha + reach), up(8 * unit_roundoff * norm + reach)},
                filter);
    if (!filter.finite) throw NotFinite{slice.level, p.vertices[cell].piece};
    tally.asked += static_cast<std::int64_t>(phi.thresholds() * n);
    if (filter.gap < tally.gap * norm) tally.note_gap(filter.gap / norm);
    for (std::size_t w = 0; w < phi.thresholds() * words; ++w) {
        out.crossing[w] = 0;
        const std::size_t block = w % words * 64;
        const Word open = ~(out.left[w] | negative_[w]) & first_bits(n - block);
        for_each_bit(open, block, [&](std::size_t q) {
            const std::size_t before = events.size();
            if (settle({partitions, slice, cell, q, w / words}, alpha, events))
                set_bit(out.left + w / words * words, q);
            if (events.size() > before) set_bit(out.crossing + w / words * words, q);
        });
    }
}

bool CurvePredicates::settle(const Question& at, double alpha, std::vector<CurveEvent>& events) {
    const AffineMap& map = network_.map(at.slice.level);
    // Where most is even background this settles most, so that it comes first.
    if (map.is_sparse(at.neuron) && is_bias_on(at.partitions, at.slice, at.neuron))
        return letter_of_bias(at);
    const Partition& p = at.partitions[at.slice.level];
    const Vertex *from = &p.vertices[at.cell], *to = from + 1;
    const Bernstein<double> f = margin(at);
    const double length = to->t - from->t, tau = std::max(from->tau, to->tau);
    const double scale = map.row_norms()[at.neuron];
    const double error = margin_error(at, scale * alpha);
    const double own = (largest_step(f) + 2 * error) * static_cast<double>(p.degree) / length *
                       growth_beyond(tau / length, p.degree - 1);
    const double any = (scale + std::abs(threshold(at))) * p.speeds[at.cell];
    const double slope = length > 0 && own < any ? own : any;
    Letter letter = by_bounds(at, f,
                              {error, up(error + slope * from->tau), up(error + slope * to->tau)},
                              events);
    if (letter) return *letter;
    poll();
    gather_pattern(at.partitions, at.slice.level, at.cell, pattern_);
    letter = by_bias(at);
    if (!letter) letter = by_ends(at, f, error, slope, events);
    if (!letter) letter = by_adjoint(at, f, events);
    return letter ? *letter : by_integers(at, events);
}

double CurvePredicates::threshold(const Question& at) const {
    return network_.level(at.slice.level).activation.threshold(at.threshold);
}

Bernstein<double> CurvePredicates::margin(const Question& at) const {
    return at.partitions[at.slice.level].margin(at.cell, at.neuron, threshold(at));
}

double CurvePredicates::margin_error(const Question& at, double error) const {
    const double norm = at.partitions[at.slice.level].largest(at.partitions[at.slice.level].norm,
                                                              at.cell);
    return up(error + std::abs(threshold(at)) * 8 * unit_roundoff * norm + underflow);
}

CurvePredicates::Letter CurvePredicates::by_bounds(const Question& at, const Bernstein<double>& f,
                                                   const Doubt& doubt,
                                                   std::vector<CurveEvent>& events) const {
    if (same_signs(f, std::max(doubt.at_start, doubt.at_end))) return f[0] > 0;
    const Partition& p = at.partitions[at.slice.level];
    const double length = p.length(at.cell);
    if (!(length > 0 && f.degree > 0 && std::abs(f[0]) > doubt.at_start &&
          std::abs(f.last()) > doubt.at_end))
        return std::nullopt;
    std::vector<Root> roots;
    if (!isolate_roots(f, doubt.everywhere, roots)) return std::nullopt;
    const double rounding = 8 * unit_roundoff + doubt.shift;  // of t
    const double from = p.vertices[at.cell].t, to = p.vertices[at.cell + 1].t;
    const std::size_t before = events.size();
    for (const Root& root : roots) {
        const double t = std::clamp(from + root.s * length, from, to);
        const double tau = up(root.error * length + rounding);
        // No root lies between a cell's true end and its float, unless it is the end itself.
        const bool cut_low = root.low > 0 || doubt.zero_start;
        const bool cut_high = root.high < 1 || doubt.zero_end;
        const double least = from + root.low * length + (cut_low ? rounding : 0);
        const double most = from + root.high * length - (cut_high ? rounding : 0);
        if ((cut_low && t - tau <= least) || (cut_high && t + tau >= most)) {
            events.resize(before);
            return std::nullopt;
        }
        const auto index = static_cast<std::int32_t>(events.size() - before);
        events.push_back(
            {{t, tau, static_cast<std::int32_t>(at.slice.level),
              static_cast<std::int32_t>(at.neuron), static_cast<std::int32_t>(at.threshold), -1,
              cut_low ? t - tau : std::max(t - tau, from),
              cut_high ? t + tau : std::min(t + tau, to)},
             index,
             (f[0] < 0) == (index % 2 == 0)});
    }
    return f[0] > 0;
}

CurvePredicates::Letter CurvePredicates::by_bias(const Question& at) {
    if (is_bias_on(at.partitions, at.slice, at.neuron) ||
        cancellation().is_bias({pattern_, pattern_}, nullptr, at.slice.level, at.neuron, poll))
        return letter_of_bias(at);
    return std::nullopt;
}

bool CurvePredicates::letter_of_bias(const Question& at) {
    ++certificate_.signs.proportional;
    const Level& level = network_.level(at.slice.level);
    const double bias = level.map().bias()[at.neuron], theta = threshold(at);
    if (bias == theta) return get_bit(level.activation.passed_on_tie(at.threshold), at.neuron);
    return bias > theta;
}

// Whether a neuron is plainly on its threshold at an end of the cell: of a piece's end by what the
// curve is made of there, else by the letters of the cell behind it, if the slice has one.
bool CurvePredicates::vanishes_at(const Question& at, bool start) {
    const std::size_t l = at.slice.level;
    const Partition& p = at.partitions[l];
    if (network_.level(l).map().bias()[at.neuron] != threshold(at)) return false;
    const Vertex& vertex = p.vertices[start ? at.cell : at.cell + 1];
    if (vertex.level == Vertex::given)
        return cancellation().is_bias({pattern_, pattern_}, &vertex, l, at.neuron, poll);
    if (start ? at.cell == at.slice.first : at.cell + 1 == at.slice.last) return false;
    Pattern behind;
    gather_pattern(at.partitions, l, start ? at.cell - 1 : at.cell + 1, behind);
    return cancellation().is_bias({behind, behind}, nullptr, l, at.neuron, poll);
}

// Divided by the distance from an end, where it vanishes at the cell's true end.
CurvePredicates::Letter CurvePredicates::by_ends(const Question& at, Bernstein<double> f,
                                                 double error, double slope,
                                                 std::vector<CurveEvent>& events) {
    const Vertex* ends = &at.partitions[at.slice.level].vertices[at.cell];
    const bool start = vanishes_at(at, true), end = vanishes_at(at, false);
    const double d = static_cast<double>(f.degree);
    if (!(start || end) || f.degree < (start && end ? 2u : 1u)) return std::nullopt;
    if (start) {
        for (std::size_t i = 0; i < f.degree; ++i)
            f[i] = f[i + 1] * (d / static_cast<double>(i + 1));
        --f.degree;
    }
    if (end) {
        const double left = static_cast<double>(f.degree);
        for (std::size_t i = 0; i < f.degree; ++i)
            f[i] = f[i] * (left / (left - static_cast<double>(i)));
        --f.degree;
    }
    double size = 0;
    for (std::size_t i = 0; i <= f.degree; ++i) size = std::max(size, std::abs(f[i]));
    // Of the quotient on the true cell, whose ends are that far from the floats; dividing enlarges
    // a coefficient's error up to `degree` times.
    const double shift = ends[0].tau + ends[1].tau, factor = d * (start && end ? d - 1 : 1);
    const double wrong = up(factor * (error + 2 * slope * shift) + 8 * unit_roundoff * size);
    const Letter letter = by_bounds(at, f, {wrong, wrong, wrong, 2 * shift, start, end}, events);
    if (letter) ++certificate_.signs.proportional;
    return letter;
}

CurvePredicates::Letter CurvePredicates::by_adjoint(const Question& at, const Bernstein<double>& f,
                                                    std::vector<CurveEvent>& events) {
    const std::size_t l = at.slice.level;
    const Partition& p = at.partitions[l];
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i <= f.degree; ++i) least = std::min(least, std::abs(f[i]));
    const double error = margin_error(at, adjoint_.error(at.partitions, l, at.cell, at.neuron,
                                                         least / 8));
    const double length = p.length(at.cell);
    if (!(length > 0)) return std::nullopt;
    const auto tau = [&](std::size_t v) {
        return position_error(at.partitions, l, at.cell, p.vertices[v]);
    };
    const double start = tau(at.cell), end = tau(at.cell + 1);
    const double slope = (largest_step(f) + 2 * error) * static_cast<double>(p.degree) / length *
                         growth_beyond(std::max(start, end) / length, p.degree - 1);
    const Letter letter = by_bounds(at, f,
                                    {error, up(error + slope * start), up(error + slope * end)},
                                    events);
    if (letter) ++certificate_.signs.adjoint;
    return letter;
}

double CurvePredicates::position_error(const Partitions& partitions, std::size_t level,
                                       std::size_t cell, const Vertex& vertex) {
    if (vertex.tau == 0 || vertex.root >= 0) return vertex.tau;
    const auto made_at = static_cast<std::size_t>(vertex.level);
    for (; level > made_at; --level) cell = partitions[level].parent[cell];
    const Partition& p = partitions[made_at];
    const Slice slice{made_at, 0, p.cells()};
    const auto [neuron, threshold] = meeting(vertex);
    const Question at{partitions, slice, cell, neuron, threshold};
    const Bernstein<double> f = margin(at);
    const double error = margin_error(at, adjoint_.error(partitions, made_at, cell, neuron, 0));
    const double from = p.vertices[cell].t, length = p.length(cell);
    roots_.clear();
    if (!(length > 0) || !isolate_roots(f, error, roots_)) return vertex.tau;
    for (const Root& root : roots_) {
        const double t = from + root.s * length;
        const double off = up(root.error * length + 8 * unit_roundoff);
        if (vertex.low <= t - off && t + off <= vertex.high)
            return std::min(vertex.tau, up(std::abs(t - vertex.t) + off));
    }
    return vertex.tau;
}

Algebraic CurvePredicates::number(const Pattern& pattern, const Vertex& vertex) {
    if (vertex.level == Vertex::given) return Algebraic(Dyadic(vertex.t));
    const auto [neuron, threshold] = meeting(vertex);
    exact().set_pattern(pattern);
    std::vector<Algebraic> roots = odd_roots(
        to_powers(exact().margin(static_cast<std::size_t>(vertex.level), neuron, threshold)));
    if (vertex.root >= 0) return roots[static_cast<std::size_t>(vertex.root)];
    Algebraic low{Dyadic(vertex.low)}, high{Dyadic(vertex.high)};
    return *std::find_if(roots.begin(), roots.end(), [&](Algebraic& root) {
        return compare(low, root) <= 0 && compare(root, high) <= 0;
    });
}

// Returns the letter at the cell's left end.
bool CurvePredicates::by_integers(const Question& at, std::vector<CurveEvent>& events) {
    ++certificate_.signs.exact;
    const std::size_t l = at.slice.level;
    const Partition& p = at.partitions[l];
    Algebraic start = number(pattern_, p.vertices[at.cell]);
    Algebraic end = number(pattern_, p.vertices[at.cell + 1]);
    exact().set_pattern(pattern_);
    const Polynomial<Integer> f = to_powers(exact().margin(l, at.neuron, at.threshold));
    if (is_zero(f))
        return get_bit(network_.level(l).activation.passed_on_tie(at.threshold), at.neuron);
    std::vector<Algebraic> roots = odd_roots(f);
    std::vector<std::size_t> inside;
    for (std::size_t i = 0; i < roots.size(); ++i)
        if (compare(start, roots[i]) < 0 && compare(roots[i], end) < 0) inside.push_back(i);
    Algebraic& first = inside.empty() ? end : roots[inside.front()];
    const bool left = sign_at(f, between(start, first, f)) > 0;
    for (std::size_t i = 0; i < inside.size(); ++i) {
        const double nearest = roots[inside[i]].nearest();
        // Floats of vertices follow their true order.
        const double t = std::clamp(nearest, p.vertices[at.cell].t, p.vertices[at.cell + 1].t);
        const double tau = up(std::abs(t - nearest) + unit_roundoff * nearest + underflow);
        events.push_back(
            {{t, tau, static_cast<std::int32_t>(l), static_cast<std::int32_t>(at.neuron),
              static_cast<std::int32_t>(at.threshold), static_cast<std::int32_t>(inside[i]), t, t},
             static_cast<std::int32_t>(i),
             left == (i % 2 == 1)});
    }
    return left;
}

int CurvePredicates::order(const Partitions& partitions, std::size_t level, std::size_t cell,
                           const CurveEvent& a, const CurveEvent& b) {
    if (&a == &b) return 0;
    const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y; };
    if (a.vertex.neuron == b.vertex.neuron && a.vertex.threshold == b.vertex.threshold)
        return sign(a.index, b.index);
    if (surely_before(a.latest(), b.earliest(), b.vertex.t - a.vertex.t)) return -1;
    if (surely_before(b.latest(), a.earliest(), a.vertex.t - b.vertex.t)) return 1;
    ++certificate_.orders.asked;
    if (proportional(network_.level(level), meeting(a.vertex), meeting(b.vertex))) {
        ++certificate_.orders.proportional;
        return sign(a.index, b.index);
    }
    const double tau = position_error(partitions, level, cell, a.vertex) +
                       position_error(partitions, level, cell, b.vertex);
    if (const double distance = std::abs(a.vertex.t - b.vertex.t); distance > up(tau)) {
        ++certificate_.orders.adjoint;
        certificate_.orders.note_gap(distance);
        return sign(a.vertex.t, b.vertex.t);
    }
    poll();
    ++certificate_.orders.exact;
    gather_pattern(partitions, level, cell, pattern_);
    Algebraic x = number(pattern_, a.vertex), y = number(pattern_, b.vertex);
    return compare(x, y);
}

namespace {

// Newton's method in double-double, and by the mean value theorem how far from the root it ended;
// certain where all of that rounds to one float within the vertex's isolating interval.
std::optional<double> nearest_root(const Polynomial<Ball>& coefficients, const Vertex& vertex) {
    if (vertex.root >= 0) return std::nullopt;
    Bernstein<Ball> f;
    f.degree = coefficients.size() - 1;
    std::copy(coefficients.begin(), coefficients.end(), f.c.begin());
    const double degree = static_cast<double>(f.degree);
    Pair s{vertex.t, 0};
    Jet<Ball> at{};
    for (int i = 0; i < 3; ++i) {
        at = evaluate(f, Ball(s, 0), Ball(degree));
        if (i == 2 || at.slope.high == 0) break;
        s = s - Pair{at.value.high, at.value.low} / Pair{at.slope.high, at.slope.low};
        if (!(s.high >= 0 && s.high <= 1)) return std::nullopt;
    }
    double bend = 0;
    for (std::size_t i = 0; i + 2 <= f.degree; ++i) {
        const Ball step = (f[i + 2] - f[i + 1]) - (f[i + 1] - f[i]);
        bend = std::max(bend, std::abs(step.high) + std::abs(step.low) + step.radius);
    }
    bend *= degree * degree;
    const double miss = std::abs(at.value.high) + std::abs(at.value.low) + at.value.radius;
    const double steep = std::abs(at.slope.high) * (1 - 0x1p-20) - std::abs(at.slope.low) -
                         at.slope.radius;
    const double near = up(2 * miss / steep);
    if (!(steep > 0 && up(near * bend) <= steep / 2)) return std::nullopt;
    const double margin = up(near + std::abs(s.low) * 0x1p-40 + underflow);
    if (!(s.high - 2 * margin > vertex.low && s.high + 2 * margin < vertex.high))
        return std::nullopt;
    if (s.high + (s.low + margin) == s.high && s.high + (s.low - margin) == s.high) return s.high;
    return std::nullopt;
}

}  // namespace

double CurvePredicates::settle_position(const Pattern& pattern, const Vertex& vertex) {
    extended().set_pattern(pattern);
    const auto [neuron, threshold] = meeting(vertex);
    const auto level = static_cast<std::size_t>(vertex.level);
    if (const auto t = nearest_root(extended().margin(level, neuron, threshold), vertex)) {
        ++certificate_.positions.extended;
        return *t;
    }
    poll();
    ++certificate_.positions.exact;
    return number(pattern, vertex).nearest();
}

}  // namespace pyexpr
