#include "pyexpr/predicates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// |z_computed(v) - z(true v)|_q <= row_norm_q absolute + |z_other - z|_q relative
struct SignBound {
    std::size_t other;
    double absolute, relative;
};

// z moves by slope tau between a vertex's float and its true position. The slope is read off the
// longer neighbouring cell, or bounded by the curve's speed where that cell is too short.
SignBound sign_bound(const Partition& p, const Slice& slice, std::size_t v) {
    const double alpha = p.alpha(v), tau = p.vertices[v].tau;
    if (tau == 0) return {v, up(alpha), 0};
    const double before = v > slice.first ? p.length(v - 1) : 0;
    const double after = v < slice.last ? p.length(v) : 0;
    const std::size_t other = before > after ? v - 1 : v + 1;
    const double length = std::max(before, after);
    const double both = length > 0 ? alpha + p.alpha(other) : 0;
    if (!(length > 0) || both > p.speed * length) return {v, up(alpha + p.speed * tau), 0};
    const double relative = tau / length;
    return {other, up(alpha + both * relative), up(relative)};
}

// Certain as soon as one output's slope surely differs, or when all surely agree.
template <class AnyLine>
std::optional<bool> slopes_differ(AnyLine& line, const Network& network, const Pattern& left,
                                  const Pattern& right) {
    std::vector<typename AnyLine::Number> slopes;
    line.set_pattern(left);
    for (std::size_t i = 0; i < network.outputs(); ++i)
        slopes.push_back(line.pre_activation(network.depth(), i).b);
    line.set_pattern(right);
    bool agree = true;
    for (std::size_t i = 0; i < network.outputs(); ++i) {
        const auto sign = certain_sign(slopes[i] - line.pre_activation(network.depth(), i).b);
        if (sign && *sign != 0) return true;
        agree = agree && sign;
    }
    return agree ? std::optional(false) : std::nullopt;
}

}  // namespace

Predicates::Predicates(const Network& network, const Line& line) : network_(network), line_(line) {}

template <class Answer, class Ask>
Answer Predicates::settle(Tally& tally, Ask&& ask) {
    poll();
    if (!extended_) extended_.emplace(network_, line_);
    if (const std::optional<Answer> answer = ask(*extended_)) {
        ++tally.extended;
        return *answer;
    }
    if (!exact_) exact_.emplace(network_, line_, poll);
    ++tally.exact;
    return ask(*exact_).value();
}

void Predicates::signs(const Partitions& partitions, const Slice& slice, std::size_t v,
                       SignRow& out) {
    const Partition& p = partitions[slice.level];
    const Level& level = network_.level(slice.level);
    const Activation& phi = level.activation;
    const std::size_t n = phi.width(), words = phi.words();
    const SignBound bound = sign_bound(p, slice, v);
    const double* z = p.row(v);
    const double* other = p.row(bound.other);
    const double* scale = level.map.row_norms();
    out.displacement = 0;
    certificate_.signs.asked += static_cast<std::int64_t>(n * phi.thresholds());
    for (std::size_t k = 0; k < phi.thresholds(); ++k) {
        Word* positive = out.positive + k * words;
        Word* undecided = out.zero + k * words;  // becomes `zero` as the questions are settled
        if (!filter_row(z, other, scale, n, phi.threshold(k), bound.absolute, bound.relative,
                        positive, undecided))
            throw NotFinite{slice.level};
        for (std::size_t w = 0; w < words; ++w) {
            if (undecided[w] == 0) continue;
            const Word questions = undecided[w];
            undecided[w] = 0;
            gather_pattern(partitions, slice.level, std::min(v, slice.last - 1), pattern_);
            for_each_bit(questions, w * 64, [&](std::size_t q) {
                const int sign = sign_at(p.vertices[v], slice.level, q, k);
                positive[w] &= ~(Word{1} << (q % 64));
                if (sign > 0) set_bit(positive, q);
                if (sign == 0) set_bit(undecided, q);
                out.displacement += 2 * phi.lipschitz() *
                                    (std::abs(z[q] - phi.threshold(k)) +
                                     2 * unit_roundoff * std::abs(z[q]));
            });
        }
    }
    out.displacement = up(out.displacement);
}

int Predicates::sign_at(const Vertex& vertex, std::size_t level, std::size_t neuron,
                        std::size_t threshold) {
    return settle<int>(certificate_.signs, [&](auto& line) {
        line.set_pattern(pattern_);
        const auto f = line.margin(level, neuron, threshold);
        if (vertex.level == Vertex::given) return certain_sign(line.at(f, vertex.t));
        return sign_at_root(f, line.margin(static_cast<std::size_t>(vertex.level),
                                           static_cast<std::size_t>(vertex.neuron),
                                           static_cast<std::size_t>(vertex.threshold)));
    });
}

int Predicates::order(const Partitions& partitions, std::size_t level, std::size_t cell,
                      const Event& a, const Event& b) {
    if (&a == &b) return 0;
    ++certificate_.orders.asked;
    if (surely_before(a.latest(), b.earliest())) return -1;
    if (surely_before(b.latest(), a.earliest())) return 1;
    gather_pattern(partitions, level, cell, pattern_);
    return settle<int>(certificate_.orders, [&](auto& line) {
        line.set_pattern(pattern_);
        const auto margin = [&](const Event& e) {
            return line.margin(level, static_cast<std::size_t>(e.neuron),
                               static_cast<std::size_t>(e.threshold));
        };
        return compare_roots(margin(a), margin(b));
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
        if (constant(phi, left[l]) && (left[l] == right[l] || constant(phi, right[l]))) return true;
    }
    return false;
}

bool Predicates::slope_changes(const Pattern& left, const Pattern& right) {
    ++certificate_.slopes.asked;
    if (dead_between(left, right)) return false;
    return settle<bool>(certificate_.slopes,
                        [&](auto& line) { return slopes_differ(line, network_, left, right); });
}

double Predicates::position(const Pattern& pattern, const Vertex& vertex) {
    ++certificate_.positions.asked;
    return settle<double>(certificate_.positions, [&](auto& line) {
        line.set_pattern(pattern);
        return nearest_root(line.margin(static_cast<std::size_t>(vertex.level),
                                        static_cast<std::size_t>(vertex.neuron),
                                        static_cast<std::size_t>(vertex.threshold)));
    });
}

bool Slopes::measure(const DenseMap& readout, const Partition& cells, std::size_t cell) {
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

bool surely_differ(const Slopes& a, const Slopes& b) {
    for (std::size_t i = 0; i < a.value.size(); ++i)
        if (std::abs(a.value[i] - b.value[i]) > up(a.error[i] + b.error[i])) return true;
    return false;
}

}  // namespace pyexpr
