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

}  // namespace

Predicates::Predicates(const Network& network, const Line& line)
    : network_(network), line_(line) {}

ExactLine& Predicates::exact() {
    poll();
    if (!exact_) exact_ = std::make_unique<ExactLine>(network_, line_);
    return *exact_;
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
    certificate_.signs += static_cast<std::int64_t>(n * phi.thresholds());
    for (std::size_t k = 0; k < phi.thresholds(); ++k) {
        Word* positive = out.positive + k * words;
        Word* undecided = out.zero + k * words;  // becomes `zero` as the questions are settled
        if (!filter_row(z, other, scale, n, phi.threshold(k), bound.absolute, bound.relative,
                        positive, undecided))
            throw NotFinite{slice.level};
        for (std::size_t w = 0; w < words; ++w) {
            if (undecided[w] == 0) continue;
            Word questions = undecided[w];
            undecided[w] = 0;
            const std::size_t cell = std::min(v, slice.last - 1);
            ExactLine& line = exact();
            gather_pattern(partitions, slice.level, cell, pattern_);
            line.set_pattern(pattern_);
            const Rational t = line.position(p.vertices[v]);
            for_each_bit(questions, w * 64, [&](std::size_t q) {
                ++certificate_.exact_signs;
                const int sign = sign_at(line.margin(slice.level, q, k), t);
                positive[w] &= ~(Word{1} << (q % 64));
                if (sign > 0) set_bit(positive, q);
                if (sign == 0) set_bit(undecided, q);
                out.displacement += 2 * phi.lipschitz() * std::abs(z[q] - phi.threshold(k));
            });
        }
    }
    out.displacement = up(out.displacement);
}

int Predicates::order(const Partitions& partitions, std::size_t level, std::size_t cell,
                      const Event& a, const Event& b) {
    if (&a == &b) return 0;
    ++certificate_.orders;
    if (surely_before(a, b)) return -1;
    if (surely_before(b, a)) return 1;
    ++certificate_.exact_orders;
    ExactLine& line = exact();
    gather_pattern(partitions, level, cell, pattern_);
    line.set_pattern(pattern_);
    const auto margin = [&](const Event& e) {
        return line.margin(level, static_cast<std::size_t>(e.neuron),
                           static_cast<std::size_t>(e.threshold));
    };
    return compare_roots(margin(a), margin(b));
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
        if (constant(phi, left[l]) && (left[l] == right[l] || constant(phi, right[l])))
            return true;
    }
    return false;
}

bool Predicates::slope_changes(const Pattern& left, const Pattern& right) {
    ++certificate_.slopes;
    if (dead_between(left, right)) return false;
    ++certificate_.exact_slopes;
    ExactLine& line = exact();
    const std::size_t outputs = network_.outputs(), depth = network_.depth();
    std::vector<Integer> slopes(outputs);
    line.set_pattern(left);
    for (std::size_t i = 0; i < outputs; ++i) slopes[i] = line.pre_activation(depth, i).b;
    line.set_pattern(right);
    for (std::size_t i = 0; i < outputs; ++i)
        if (slopes[i] != line.pre_activation(depth, i).b) return true;
    return false;
}

void Slopes::measure(const DenseMap& readout, const Partition& cells, std::size_t cell) {
    const std::size_t n = readout.outputs();
    value.resize(n);
    error.resize(n);
    const double length = cells.length(cell);
    const double alpha = cells.alpha(cell) + cells.alpha(cell + 1);
    const double* a = cells.row(cell);
    const double* b = cells.row(cell + 1);
    const double* scale = readout.row_norms();
    for (std::size_t i = 0; i < n; ++i) {
        const double magnitude = std::abs(a[i]) + std::abs(b[i]);
        value[i] = (b[i] - a[i]) / length;
        error[i] = up((scale[i] * alpha + 4 * unit_roundoff * magnitude + underflow) / length);
        if (!(length > 0)) error[i] = std::numeric_limits<double>::infinity();
    }
}

bool surely_differ(const Slopes& a, const Slopes& b) {
    for (std::size_t i = 0; i < a.value.size(); ++i)
        if (std::abs(a.value[i] - b.value[i]) > up(a.error[i] + b.error[i])) return true;
    return false;
}

}  // namespace pyexpr
