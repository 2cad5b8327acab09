#include "pyexpr/line_predicates.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pyexpr/affine.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/proportional.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// The filter's margin at a vertex, and which vertex's row it measures the slope by.
struct SignBound {
    std::size_t other;
    Margin margin;
};

// z moves by slope tau between a vertex's float and its true position. The slope is read off the
// longer neighbouring cell, or bounded by the curve's speed where that cell is too short.
SignBound sign_bound(const Partition& p, const Slice& slice, std::size_t v) {
    const double alpha = p.alpha(v), tau = p.vertices[v].tau;
    if (tau == 0) return {v, {up(alpha), 0}};
    const double before = v > slice.first ? p.length(v - 1) : 0;
    const double after = v < slice.last ? p.length(v) : 0;
    const std::size_t other = before > after ? v - 1 : v + 1;
    const double length = std::max(before, after);
    const double both = length > 0 ? alpha + p.alpha(other) : 0;
    if (!(length > 0) || both > p.speed * length) return {v, {up(alpha + p.speed * tau), 0}};
    const double relative = tau / length;
    return {other, {up(alpha + both * relative), up(relative)}};
}

// The cells of one piece that end and begin at a vertex; the other one where there is none.
std::size_t cell_beside(const Partition& p, const Slice& slice, std::size_t v) {
    return v < slice.last && !p.is_gap(v) ? v : v - 1;
}
std::size_t cell_before(const Partition& p, const Slice& slice, std::size_t v) {
    return v > 0 && !p.is_gap(v - 1) ? v - 1 : cell_beside(p, slice, v);
}

template <class Answer, class Gap>
std::optional<Decision<Answer>> with_gap(std::optional<Answer> answer, Gap&& gap) {
    return answer ? std::optional(Decision<Answer>{*answer, gap()}) : std::nullopt;
}

template <class Number>
Affine<Number> affine(const Polynomial<Number>& f) {
    return {f[0], f[1]};
}

// What vanishes where this neuron meets this threshold: of an Event or a Vertex.
template <class AnyNetwork, class Meeting>
auto margin(AnyNetwork& at, std::size_t level, const Meeting& m) {
    return affine(at.margin(level, static_cast<std::size_t>(m.neuron),
                            static_cast<std::size_t>(m.threshold)));
}

template <class AnyNetwork>
auto vanishing_at(AnyNetwork& at, const Vertex& vertex) {
    using Number = typename AnyNetwork::Number;
    if (vertex.level == Vertex::given) return pyexpr::vanishing_at<Number>(vertex.t);
    return margin(at, static_cast<std::size_t>(vertex.level), vertex);
}

}  // namespace

LinePredicates::LinePredicates(const Network& network, const std::vector<Piece>& pieces,
                               bool certify)
    : Predicates(network, pieces, certify) {}

void LinePredicates::signs(const Partitions& partitions, const Slice& slice, std::size_t v,
                           SignRow& out) {
    const Partition& p = partitions[slice.level];
    enter(p.vertices[v].piece);
    const Level& level = network_.level(slice.level);
    const Activation& phi = level.activation;
    // The rows hold the neurons that are asked about, and entries that pass.
    const std::size_t n = p.width - (level.entries() - phi.width());
    const std::size_t words = phi.thresholds() * words_for(n);
    if (p.partial) {
        filtered_.resize(words);
        undecided_.resize(words);
    }
    out.displacement = 0;
    Tally& tally = certificate_.signs;
    const double closest = tally.gap * p.norm[v];
    FilteredRow row{p.partial ? filtered_.data() : out.positive,
                    p.partial ? undecided_.data() : out.zero, closest};
    if (certify_) {
        const SignBound bound = sign_bound(p, slice, v);
        const double* scale = p.partial ? p.scale.data() : level.map().row_norms();
        filter_row(p.row(v), p.row(bound.other), scale, n, phi.all_thresholds(), bound.margin, row);
        tally.asked += static_cast<std::int64_t>(n * phi.thresholds());
    } else {
        sign_row(p.row(v), n, phi.all_thresholds(), row);
    }
    if (!row.finite) throw NotFinite{slice.level, p.vertices[v].piece};
    if (row.gap < closest) tally.note_gap(row.gap / p.norm[v]);
    if (v == slice.first) begin_slice();
    if (p.partial) spread(p, phi, n, v == slice.first, row.decided, out);
    if (row.decided) return;
    if (p.vertices[v].tau == 0 && p.is_exact(v)) {
        read_signs(p, v, phi.all_thresholds(), phi.words(), out);
        return;
    }
    gather_pattern(partitions, slice.level, cell_beside(p, slice, v), pattern_);
    gather_pattern(partitions, slice.level, cell_before(p, slice, v), before_);
    for (std::size_t k = 0; k < phi.thresholds(); ++k) settle_signs(partitions, slice, v, k, out);
    out.displacement = up(out.displacement);
}

// From the filter's bits of what the rows hold to those of all neurons: few change from one vertex
// to the next.
void LinePredicates::spread(const Partition& p, const Activation& phi, std::size_t n, bool first,
                            bool decided, SignRow& out) {
    const std::size_t words = words_for(n), all = phi.thresholds() * phi.words();
    if (first) {
        last_filtered_.assign(filtered_.size(), 0);
        positive_ = p.known;
    }
    std::fill_n(out.zero, all, Word{0});
    for (std::size_t k = 0; k < phi.thresholds(); ++k)
        for (std::size_t w = 0; w < words; ++w) {
            const std::size_t at = k * words + w;
            for_each_bit(filtered_[at] ^ last_filtered_[at], w * 64,
                         [&](std::size_t i) { flip_bit(&positive_[k * phi.words()], p.kept[i]); });
            if (decided) continue;
            for_each_bit(undecided_[at], w * 64,
                         [&](std::size_t i) { set_bit(out.zero + k * phi.words(), p.kept[i]); });
        }
    std::swap(filtered_, last_filtered_);
    std::copy_n(positive_.data(), all, out.positive);
}

void LinePredicates::read_signs(const Partition& p, std::size_t v,
                                std::span<const double> thresholds, std::size_t words,
                                SignRow& out) const {
    for (std::size_t k = 0; k < thresholds.size(); ++k)
        for (std::size_t w = k * words; w < (k + 1) * words; ++w) {
            const Word questions = std::exchange(out.zero[w], 0);
            for_each_bit(questions, (w - k * words) * 64, [&](std::size_t q) {
                const double z = p.value(v, q);
                if (z > thresholds[k]) set_bit(out.positive + k * words, q);
                if (z == thresholds[k]) set_bit(out.zero + k * words, q);
            });
        }
}

// Tried on the letters of the whole slice, then on those of either side of the vertex, where a
// neuron is what its continuous function is.
bool LinePredicates::is_bias(const Partitions& partitions, const Slice& slice, std::size_t v,
                             std::size_t neuron) {
    if (is_bias_on(partitions, slice, neuron)) return true;
    const Vertex& vertex = partitions[slice.level].vertices[v];
    const auto on = [&](const Pattern& letters) {
        return cancellation().is_bias({letters, letters}, &vertex, slice.level, neuron, poll);
    };
    return on(pattern_) || on(before_);
}

// What the filter leaves: `zero` holds the questions and becomes their answer.
void LinePredicates::settle_signs(const Partitions& partitions, const Slice& slice, std::size_t v,
                                  std::size_t k, SignRow& out) {
    const Partition& p = partitions[slice.level];
    const Level& level = network_.level(slice.level);
    const Activation& phi = level.activation;
    Word *positive = out.positive + k * phi.words(), *zero = out.zero + k * phi.words();
    for (std::size_t w = 0; w < phi.words(); ++w) {
        const Word questions = zero[w];
        positive[w] &= ~questions;
        zero[w] = 0;
        for_each_bit(questions, w * 64, [&](std::size_t q) {
            const double scale = level.map().row_norms()[q] * p.norm[v], z = p.value(v, q);
            const int sign = [&] {
                if (is_bias(partitions, slice, v, q)) {
                    ++certificate_.signs.proportional;
                    const double margin = level.map().bias()[q] - phi.threshold(k);
                    if (margin != 0) certificate_.signs.note_gap(std::abs(margin) / scale);
                    return margin > 0 ? 1 : margin < 0 ? -1 : 0;
                }
                if (const auto sure = adjoint_sign(partitions, slice, v, q, k)) {
                    ++certificate_.signs.adjoint;
                    certificate_.signs.note_gap(std::abs(z - phi.threshold(k)) / scale);
                    return *sure;
                }
                return sign_at(p.vertices[v], slice.level, q, k, scale);
            }();
            if (sign > 0) set_bit(positive, q);
            if (sign == 0) set_bit(zero, q);
            // Where the float is on the letter's side, phi is evaluated on the right piece; where
            // it meets the threshold, a low part may be on either.
            if (const double d = z - phi.threshold(k); sign == 0 || d == 0 || (sign > 0) != (d > 0))
                out.displacement += 2 * phi.lipschitz() *
                                    (std::abs(d) + 2 * unit_roundoff * std::abs(z));
        });
    }
}

// As in sign_bound(), but for one neuron.
std::optional<int> LinePredicates::adjoint_sign(const Partitions& partitions, const Slice& slice,
                                                std::size_t v, std::size_t neuron,
                                                std::size_t threshold) {
    const Partition& p = partitions[slice.level];
    const bool right = v < slice.last && (v == slice.first || p.length(v) > p.length(v - 1));
    const std::size_t cell = right ? v : v - 1;
    const double z = p.value(v, neuron);
    const double d = z - network_.level(slice.level).activation.threshold(threshold);
    const double error = adjoint_.error(partitions, slice.level, cell, neuron, std::abs(d) / 4);
    if (!(std::abs(d) > error)) return std::nullopt;
    const double length = p.length(cell);
    const double change = std::abs(p.value(right ? v + 1 : v - 1, neuron) - z) + 2 * error;
    const double near = length > 0 ? std::abs(d) / 4 * (length / change) : 0;
    const double tau = position_error(partitions, slice.level, cell, p.vertices[v], near);
    const double moved = tau > 0 ? change * (tau / length) : 0;
    if (std::abs(d) > up(error + moved + underflow)) return d > 0 ? 1 : -1;
    return std::nullopt;
}

double LinePredicates::position_error(const Partitions& partitions, std::size_t level,
                                      std::size_t cell, const Vertex& vertex, double enough) {
    if (vertex.tau == 0 || vertex.tau <= enough) return vertex.tau;
    const auto made_at = static_cast<std::size_t>(vertex.level);
    for (; level > made_at; --level) cell = partitions[level].parent[cell];
    const double tau = adjoint_.root_error(partitions, made_at, cell,
                                           static_cast<std::size_t>(vertex.neuron),
                                           static_cast<std::size_t>(vertex.threshold), vertex.t,
                                           enough);
    return std::min(vertex.tau, tau);
}

void LinePredicates::sharpen(const Partitions& partitions, std::size_t level, std::size_t cell,
                             const Event& e, double enough) {
    if (e.tau <= enough) return;
    e.tau = std::min(e.tau,
                     adjoint_.root_error(partitions, level, cell,
                                         static_cast<std::size_t>(e.neuron),
                                         static_cast<std::size_t>(e.threshold), e.t, enough));
}

int LinePredicates::sign_at(const Vertex& vertex, std::size_t level, std::size_t neuron,
                            std::size_t threshold, double scale) {
    return settle(certificate_.signs, [&](auto& at) {
        at.set_pattern(pattern_);
        const auto f = affine(at.margin(level, neuron, threshold)), g = vanishing_at(at, vertex);
        return with_gap(sign_at_root(f, g),
                        [&] { return std::scalbn(size_at_root(f, g), at.unit(level)) / scale; });
    });
}

int LinePredicates::order(const Partitions& partitions, std::size_t level, std::size_t cell,
                          const Event& a, const Event& b) {
    if (&a == &b) return 0;
    if (!certify_) return a.t < b.t ? -1 : a.t > b.t;
    if (a.tau == 0 && b.tau == 0 && a.t == b.t) {
        ++certificate_.orders.asked;
        return 0;
    }
    if (surely_before(a.latest(), b.earliest(), b.t - a.t)) return -1;
    if (surely_before(b.latest(), a.earliest(), a.t - b.t)) return 1;
    ++certificate_.orders.asked;
    enter(partitions[level].vertices[cell].piece);
    const auto meeting = [](const Event& e) {
        return Meeting{static_cast<std::size_t>(e.neuron), static_cast<std::size_t>(e.threshold)};
    };
    if (proportional(network_.level(level), meeting(a), meeting(b))) {
        ++certificate_.orders.proportional;
        return 0;
    }
    const double distance = std::abs(a.t - b.t);
    for (const Event* e : {&a, &b}) sharpen(partitions, level, cell, *e, distance / 4);
    if (distance > up(a.tau + b.tau)) {
        ++certificate_.orders.adjoint;
        certificate_.orders.note_gap(distance);
        return a.t < b.t ? -1 : 1;
    }
    gather_pattern(partitions, level, cell, pattern_);
    return settle(certificate_.orders, [&](auto& at) {
        at.set_pattern(pattern_);
        const auto f = margin(at, level, a), g = margin(at, level, b);
        return with_gap(compare_roots(f, g), [&] { return root_distance(f, g); });
    });
}

double LinePredicates::settle_position(const Pattern& pattern, const Vertex& vertex) {
    if (vertex.tau == 0) return vertex.t;
    return settle(certificate_.positions, [&](auto& at) {
        at.set_pattern(pattern);
        return with_gap(nearest_root(vanishing_at(at, vertex)), [] { return 0.0; });
    });
}

}  // namespace pyexpr
