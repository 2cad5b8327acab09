#include "pyexpr/predicates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// An answer and how far it was from a tie, where that is known.
template <class Answer>
struct Decision {
    Answer answer;
    double gap = 0;
};

// How far apart the slopes of the first output for which the bounds prove that they differ are,
// relative to the larger; 0 if nothing is proved.
double sure_gap(const Slopes& a, const Slopes& b) {
    for (std::size_t i = 0; i < a.value.size(); ++i) {
        const double change = std::abs(a.value[i] - b.value[i]);
        if (change > up(a.error[i] + b.error[i]))
            return change / std::max(std::abs(a.value[i]), std::abs(b.value[i]));
    }
    return 0;
}

// x y = u v in real arithmetic; false where that cannot be told from doubles alone.
bool equal_products(double x, double y, double u, double v) {
    const Pair left = two_product(x, y), right = two_product(u, v);
    if (!std::isfinite(left.high) || left.high != right.high || left.low != right.low) return false;
    // Nothing was lost to underflow, or nothing was there to be lost.
    return std::abs(left.high) > 0x1p-900 || ((x == 0 || y == 0) && (u == 0 || v == 0));
}

// Whether the weights of two neurons, thresholds included, are proportional: whatever comes before,
// they meet their thresholds together. This settles duplicates and scaled copies without looking
// at the levels before.
bool proportional(const Level& level, const Event& a, const Event& b) {
    const AffineMap& map = level.map();
    if (!map.disjoint_inputs()) return false;
    const auto i = static_cast<std::size_t>(a.neuron), j = static_cast<std::size_t>(b.neuron);
    const auto margin_bias = [&](std::size_t q, const Event& e) {
        const double theta = level.activation.threshold(static_cast<std::size_t>(e.threshold));
        return two_sum(map.bias()[q], -theta);
    };
    const Pair p = margin_bias(i, a), q = margin_bias(j, b);
    if (p.low != 0 || q.low != 0) return false;
    // Pairs of weights for one input.
    std::vector<std::pair<double, double>> pairs(map.inputs());
    map.for_each_in_row(i, [&](std::size_t k, double weight) { pairs[k].first = weight; });
    map.for_each_in_row(j, [&](std::size_t k, double weight) { pairs[k].second = weight; });
    const auto pivot = std::find_if(pairs.begin(), pairs.end(),
                                    [](const auto& pair) { return pair.first != 0; });
    if (pivot == pairs.end() || pivot->second == 0) return false;
    const auto [x, y] = *pivot;
    if (!equal_products(p.high, y, q.high, x)) return false;
    return std::all_of(pairs.begin(), pairs.end(), [x = x, y = y](const auto& pair) {
        return equal_products(pair.first, y, pair.second, x);
    });
}

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

template <class Answer, class Gap>
std::optional<Decision<Answer>> with_gap(std::optional<Answer> answer, Gap&& gap) {
    return answer ? std::optional(Decision<Answer>{*answer, gap()}) : std::nullopt;
}

// What vanishes where this neuron meets this threshold: of an Event or a Vertex.
template <class AnyLine, class Meeting>
auto margin(AnyLine& line, std::size_t level, const Meeting& m) {
    return line.margin(level, static_cast<std::size_t>(m.neuron),
                       static_cast<std::size_t>(m.threshold));
}

template <class AnyLine>
auto vanishing_at(AnyLine& line, const Vertex& vertex) {
    if (vertex.level == Vertex::given) return line.vanishing_at(vertex.t);
    return margin(line, static_cast<std::size_t>(vertex.level), vertex);
}

// Certain as soon as one output's slope surely differs, or when all surely agree.
template <class AnyLine>
std::optional<Decision<bool>> slopes_differ(AnyLine& line, const Network& network,
                                            const Pattern& left, const Pattern& right) {
    std::vector<typename AnyLine::Number> slopes;
    line.set_pattern(left);
    for (std::size_t i = 0; i < network.outputs(); ++i)
        slopes.push_back(line.pre_activation(network.depth(), i).b);
    line.set_pattern(right);
    bool agree = true;
    for (std::size_t i = 0; i < network.outputs(); ++i) {
        const auto slope = line.pre_activation(network.depth(), i).b, change = slope - slopes[i];
        const auto sign = certain_sign(change);
        if (sign && *sign != 0)
            return Decision{true, std::min(magnitude_of_quotient(change, slope),
                                           magnitude_of_quotient(change, slopes[i]))};
        agree = agree && sign;
    }
    return agree ? std::optional(Decision{false}) : std::nullopt;
}

}  // namespace

Predicates::Predicates(const Network& network, const Line& line, bool certify)
    : network_(network),
      line_(line),
      certify_(certify),
      adjoint_(network),
      cancellation_(network, line) {}

template <class Ask>
auto Predicates::settle(Tally& tally, Ask&& ask) {
    poll();
    if (!extended_) extended_.emplace(network_, line_);
    if (const auto decision = ask(*extended_)) {
        ++tally.extended;
        tally.note_gap(decision->gap);
        return decision->answer;
    }
    if (!exact_) exact_.emplace(network_, line_, poll);
    ++tally.exact;
    const auto decision = ask(*exact_).value();
    tally.note_gap(decision.gap);
    return decision.answer;
}

void Predicates::signs(const Partitions& partitions, const Slice& slice, std::size_t v,
                       SignRow& out) {
    const Partition& p = partitions[slice.level];
    const Activation& phi = network_.level(slice.level).activation;
    const std::size_t n = phi.width(), questions = n * phi.thresholds();
    out.displacement = 0;
    Tally& tally = certificate_.signs;
    const double closest = tally.gap * p.norm[v];
    FilteredRow row{out.positive, out.zero, closest};
    if (certify_) {
        const SignBound bound = sign_bound(p, slice, v);
        filter_row(p.row(v), p.row(bound.other), network_.map(slice.level).row_norms(), n,
                   phi.all_thresholds(), bound.margin, row);
        tally.asked += static_cast<std::int64_t>(questions);
    } else {
        sign_row(p.row(v), n, phi.all_thresholds(), row);
    }
    if (!row.finite) throw NotFinite{slice.level};
    if (row.gap < closest) tally.note_gap(row.gap / p.norm[v]);
    if (v == slice.first) tried_.clear();
    if (row.decided) return;
    gather_letters(partitions, slice, v);
    for (std::size_t k = 0; k < phi.thresholds(); ++k) settle_signs(partitions, slice, v, k, out);
    out.displacement = up(out.displacement);
}

void Predicates::gather_letters(const Partitions& partitions, const Slice& slice, std::size_t v) {
    if (tried_.empty()) {
        const std::size_t words = network_.level(slice.level).activation.words();
        tried_.assign(words, 0);
        biases_.assign(words, 0);
        slice_letters_.gather(network_, partitions, slice);
    }
    const std::size_t after = std::min(v, slice.last - 1);
    gather_pattern(partitions, slice.level, after, pattern_);
    gather_pattern(partitions, slice.level, v > 0 ? v - 1 : after, before_);
}

// Tried on the letters of the whole slice, once; then on those of either side of the vertex, where
// a neuron is what its continuous function is.
bool Predicates::is_bias(const Vertex& vertex, std::size_t level, std::size_t neuron) {
    if (!get_bit(tried_.data(), neuron)) {
        set_bit(tried_.data(), neuron);
        if (cancellation_.is_bias(slice_letters_.range(), nullptr, level, neuron, poll))
            set_bit(biases_.data(), neuron);
    }
    return get_bit(biases_.data(), neuron) ||
           cancellation_.is_bias({pattern_, pattern_}, &vertex, level, neuron, poll) ||
           cancellation_.is_bias({before_, before_}, &vertex, level, neuron, poll);
}

// What the filter leaves: `zero` holds the questions and becomes their answer.
void Predicates::settle_signs(const Partitions& partitions, const Slice& slice, std::size_t v,
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
            const double scale = level.map().row_norms()[q] * p.norm[v], z = p.row(v)[q];
            const int sign = [&] {
                if (is_bias(p.vertices[v], slice.level, q)) {
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
std::optional<int> Predicates::adjoint_sign(const Partitions& partitions, const Slice& slice,
                                            std::size_t v, std::size_t neuron,
                                            std::size_t threshold) {
    const Partition& p = partitions[slice.level];
    const bool right = v < slice.last && (v == slice.first || p.length(v) > p.length(v - 1));
    const std::size_t cell = right ? v : v - 1;
    const double z = p.row(v)[neuron];
    const double d = z - network_.level(slice.level).activation.threshold(threshold);
    const double error = adjoint_.error(partitions, slice.level, cell, neuron, std::abs(d) / 4);
    if (!(std::abs(d) > error)) return std::nullopt;
    const double length = p.length(cell);
    const double change = std::abs(p.row(right ? v + 1 : v - 1)[neuron] - z) + 2 * error;
    const double near = length > 0 ? std::abs(d) / 4 * (length / change) : 0;
    const double tau = position_error(partitions, slice.level, cell, p.vertices[v], near);
    const double moved = tau > 0 ? change * (tau / length) : 0;
    if (std::abs(d) > up(error + moved + underflow)) return d > 0 ? 1 : -1;
    return std::nullopt;
}

double Predicates::position_error(const Partitions& partitions, std::size_t level, std::size_t cell,
                                  const Vertex& vertex, double enough) {
    if (vertex.tau == 0 || vertex.tau <= enough) return vertex.tau;
    const auto made_at = static_cast<std::size_t>(vertex.level);
    for (; level > made_at; --level) cell = partitions[level].parent[cell];
    const double tau = adjoint_.root_error(partitions, made_at, cell,
                                           static_cast<std::size_t>(vertex.neuron),
                                           static_cast<std::size_t>(vertex.threshold), vertex.t,
                                           enough);
    return std::min(vertex.tau, tau);
}

void Predicates::sharpen(const Partitions& partitions, std::size_t level, std::size_t cell,
                         const Event& e, double enough) {
    if (e.tau <= enough) return;
    e.tau = std::min(e.tau,
                     adjoint_.root_error(partitions, level, cell,
                                         static_cast<std::size_t>(e.neuron),
                                         static_cast<std::size_t>(e.threshold), e.t, enough));
}

int Predicates::sign_at(const Vertex& vertex, std::size_t level, std::size_t neuron,
                        std::size_t threshold, double scale) {
    return settle(certificate_.signs, [&](auto& line) {
        line.set_pattern(pattern_);
        const auto f = line.margin(level, neuron, threshold), g = vanishing_at(line, vertex);
        return with_gap(sign_at_root(f, g),
                        [&] { return std::scalbn(size_at_root(f, g), line.unit(level)) / scale; });
    });
}

bool Predicates::surely_before(double latest, double earliest, double gap) {
    if (!(latest < earliest)) return false;
    ++certificate_.orders.asked;
    certificate_.orders.note_gap(gap);
    return true;
}

int Predicates::order(const Partitions& partitions, std::size_t level, std::size_t cell,
                      const Event& a, const Event& b) {
    if (&a == &b) return 0;
    if (!certify_) return a.t < b.t ? -1 : a.t > b.t;
    if (surely_before(a.latest(), b.earliest(), b.t - a.t)) return -1;
    if (surely_before(b.latest(), a.earliest(), a.t - b.t)) return 1;
    ++certificate_.orders.asked;
    if (proportional(network_.level(level), a, b)) {
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
    return settle(certificate_.orders, [&](auto& line) {
        line.set_pattern(pattern_);
        const auto f = margin(line, level, a), g = margin(line, level, b);
        return with_gap(compare_roots(f, g), [&] { return root_distance(f, g); });
    });
}

// A layer that is constant on both sides lets nothing through, whatever switches before it.
bool Predicates::dead_between(const Pattern& left, const Pattern& right) const {
    const auto constant = [](const Activation& phi, const Word* letters) {
        for (std::size_t q = 0; q < phi.width(); ++q) {
            if (!get_bit(phi.flat(phi.piece(letters, q)), q)) return false;
        }
        return true;
    };
    for (std::size_t l = network_.depth(); l-- > 0;) {
        const Activation& phi = network_.level(l).activation;
        if (network_.level(l).passes()) continue;
        if (constant(phi, left[l]) && (left[l] == right[l] || constant(phi, right[l]))) return true;
    }
    return false;
}

bool Predicates::slope_changes(const Slopes& a, const Slopes& b, const Pattern& left,
                               const Pattern& right) {
    ++certificate_.slopes.asked;
    if (const double gap = sure_gap(a, b); gap > 0) {
        certificate_.slopes.note_gap(gap);
        return true;
    }
    if (dead_between(left, right)) return false;
    if (cancellation_.is_unfelt(left, right)) {
        ++certificate_.slopes.proportional;
        return false;
    }
    if (const auto sure = adjoint_.slope_changes(left, right)) {
        ++certificate_.slopes.adjoint;
        return *sure;
    }
    return settle(certificate_.slopes,
                  [&](auto& line) { return slopes_differ(line, network_, left, right); });
}

double Predicates::position(const Pattern& pattern, const Vertex& vertex) {
    ++certificate_.positions.asked;
    return settle(certificate_.positions, [&](auto& line) {
        line.set_pattern(pattern);
        return with_gap(nearest_root(vanishing_at(line, vertex)), [] { return 0.0; });
    });
}

bool Slopes::measure(const AffineMap& readout, const Partition& cells, std::size_t cell) {
    const std::size_t n = readout.outputs();
    value.resize(n);
    error.resize(n);
    const double length = cells.length(cell);
    const double alpha = cells.alpha(cell) + cells.alpha(cell + 1);
    const double* a = cells.row(cell);
    const double* b = cells.row(cell + 1);
    const double* scale = readout.row_norms();
    double finite = 0;
    for (std::size_t i = 0; i < n; ++i) {
        finite += a[i] * 0 + b[i] * 0;
        const double magnitude = std::abs(a[i]) + std::abs(b[i]);
        value[i] = (b[i] - a[i]) / length;
        error[i] = up((scale[i] * alpha + 4 * unit_roundoff * magnitude + underflow) / length);
        if (!(length > 0) || !std::isfinite(value[i]))
            error[i] = std::numeric_limits<double>::infinity();
    }
    return finite == 0;
}

}  // namespace pyexpr
