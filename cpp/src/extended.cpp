#include "pyexpr/extended.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

void ExtendedLine::Coefficient::resize(std::size_t n) {
    high.assign(n, 0.0);
    low.assign(n, 0.0);
}

void ExtendedLine::Coefficient::bound_norm() {
    norm = up(norm_bound(high.data(), high.size()) + norm_bound(low.data(), low.size()) + 1);
}

ExtendedLine::ExtendedLine(const Network& network, const Line& line)
    : network_(network), inputs_(network.depth() + 1) {
    Inputs& in = inputs_[0];
    for (std::size_t i = 0; i < line.x0.size(); ++i) {
        const Pair step = two_sum(line.x1[i], -line.x0[i]);
        in.a.high.push_back(line.x0[i]);
        in.a.low.push_back(0);
        in.b.high.push_back(step.high);
        in.b.low.push_back(step.low);
    }
    in.a.bound_norm();
    in.b.bound_norm();
    in.ready = true;
}

void ExtendedLine::set_pattern(const Pattern& pattern) {
    bool same = true;
    for (std::size_t l = 0; l < pattern.size(); ++l) {
        const Activation& phi = network_.level(l).activation;
        const std::size_t words = phi.thresholds() * phi.words();
        Inputs& out = inputs_[l + 1];
        const bool kept = out.letters.size() == words &&
                          std::equal(out.letters.begin(), out.letters.end(), pattern[l]);
        if (!same) out.summed = false;
        same = same && kept;
        if (same) continue;
        out.letters.assign(pattern[l], pattern[l] + words);
        out.ready = false;
    }
    if (same) return;
    for (std::size_t l = pattern.size(); l < network_.depth(); ++l) {
        inputs_[l + 1].summed = inputs_[l + 1].ready = false;
        inputs_[l + 1].letters.clear();
    }
}

const ExtendedLine::Inputs& ExtendedLine::inputs(std::size_t level) {
    Inputs& out = inputs_[level];
    if (!out.ready) {
        if (!out.summed) sum(level);
        activate(level);
    }
    return out;
}

// What the activation before a level reads.
void ExtendedLine::sum(std::size_t level) {
    const Inputs& in = inputs(level - 1);
    const AffineMap& map = network_.map(level - 1);
    Coefficient &a = inputs_[level].sum_a, &b = inputs_[level].sum_b;
    a.resize(map.outputs());
    b.resize(map.outputs());
    std::copy_n(map.bias(), map.outputs(), a.high.data());
    for (const auto& [sum, x] : {std::pair(&a, &in.a), std::pair(&b, &in.b)}) {
        map.add_extended(x->high.data(), x->low.data(), sum->high.data(), sum->low.data(),
                         scratch_);
        // What passes is read as it is, and a low part must be small beside its high one.
        normalise(sum->high.data(), sum->low.data(), map.outputs());
    }
    // |W| eps + |row norms| (rounding of a row), see the filter's bound.
    const double rounding = up(compensated(map.terms()) * map.frobenius_norm());
    const auto propagate = [&](const Coefficient& from) {
        const double inherited = from.eps > 0 ? map.spectral_norm() * from.eps : 0;
        return up(inherited + rounding * from.norm + underflow);
    };
    a.eps = propagate(in.a);
    b.eps = propagate(in.b);
    inputs_[level].summed = true;
}

// The activation on the pattern's pieces.
void ExtendedLine::activate(std::size_t level) {
    const Level& made_by = network_.level(level - 1);
    const Activation& phi = made_by.activation;
    Inputs& out = inputs_[level];
    const Coefficient &a = out.sum_a, &b = out.sum_b;
    for (Coefficient* c : {&out.a, &out.b}) c->resize(0);
    for (std::size_t q = 0; q < phi.width(); ++q) {
        const std::size_t piece = phi.piece(out.letters.data(), q);
        const double slope = phi.slope(piece, q);
        const Pair offset{phi.offset(piece, q), phi.offset_low(piece, q)};
        const Ball factor(slope);
        const Ball value = factor * Ball({a.high[q], a.low[q]}, 0) + Ball(offset, 0);
        const Ball rate = factor * Ball({b.high[q], b.low[q]}, 0);
        out.a.high.push_back(value.high);
        out.a.low.push_back(value.low);
        out.b.high.push_back(rate.high);
        out.b.low.push_back(rate.low);
    }
    for (const auto& [to, from] : {std::pair(&out.a, &a), std::pair(&out.b, &b)}) {
        const auto passed = static_cast<std::ptrdiff_t>(phi.width());
        to->high.insert(to->high.end(), from->high.begin() + passed, from->high.end());
        to->low.insert(to->low.end(), from->low.begin() + passed, from->low.end());
    }
    out.a.bound_norm();
    out.b.bound_norm();
    // The operations above lose at most extended_rounding of their operands, the slope times the
    // pre-activation and the offset, which may cancel; the offset errs by as little.
    const double n = static_cast<double>(phi.width());
    const auto lost = [&](const Coefficient& z) {
        const double size = made_by.lipschitz() * (norm_bound(z.high.data(), z.high.size()) +
                                                   norm_bound(z.low.data(), z.low.size())) +
                            n * phi.largest_offset();
        return 4 * extended_rounding(size) + n * underflow;
    };
    out.a.eps = up(made_by.lipschitz() * a.eps + lost(a));
    out.b.eps = up(made_by.lipschitz() * b.eps + lost(b));
    out.ready = true;
}

Affine<Ball> ExtendedLine::pre_activation(std::size_t level, std::size_t neuron) {
    const Inputs& in = inputs(level);
    const AffineMap& map = network_.map(level);
    Pair a{map.bias()[neuron], 0}, b;
    map.for_each_in_row(neuron, [&](std::size_t j, double weight) {
        add_product(a, {in.a.high[j], in.a.low[j]}, weight);
        add_product(b, {in.b.high[j], in.b.low[j]}, weight);
    });
    const double scale = map.row_norms()[neuron], rounding = compensated(map.terms());
    const auto radius = [&](const Coefficient& from) {
        return up(scale * (from.eps + rounding * from.norm) + underflow);
    };
    return {Ball(a, radius(in.a)), Ball(b, radius(in.b))};
}

Affine<Ball> ExtendedLine::margin(std::size_t level, std::size_t neuron, std::size_t threshold) {
    Affine<Ball> f = pre_activation(level, neuron);
    f.a = f.a - Ball(network_.level(level).activation.threshold(threshold));
    return f;
}

}  // namespace pyexpr
