#include "pyexpr/extended.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

void ExtendedNetwork::bound_norm(std::size_t i, Coefficient& x) const {
    x.norm = up(norm_bound(x.high.data(), x.high.size()) + norm_bound(x.low.data(), x.low.size()) +
                std::abs(weights_[i]));
}

ExtendedNetwork::ExtendedNetwork(const Network& network, const Piece& piece)
    : network_(network), inputs_(network.depth() + 1) {
    std::visit([&](const auto& curve) { start(curve); }, piece);
    for (std::size_t i = 0; i < weights_.size(); ++i) bound_norm(i, inputs_[0].entries[i]);
    inputs_[0].ready = true;
}

void ExtendedNetwork::start(const Line& line) {
    weights_ = {1, 0};
    Coefficient a, b;
    for (std::size_t i = 0; i < line.x0.size(); ++i) {
        const Pair step = two_sum(line.x1[i], -line.x0[i]);
        a.high.push_back(line.x0[i]);
        a.low.push_back(0);
        b.high.push_back(step.high);
        b.low.push_back(step.low);
    }
    inputs_[0].entries = {std::move(a), std::move(b)};
}

void ExtendedNetwork::start(const RationalBezier& curve) {
    weights_ = curve.weights;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
        Coefficient x;
        double size = 0;
        for (std::size_t q = 0; q < network_.inputs(); ++q) {
            Pair sum;
            for (std::size_t j = 0; j < curve.points.size(); ++j)
                add_product(sum, {curve.points[j][q], 0}, curve.mix(i, j));
            const Pair normal = two_sum(sum.high, sum.low);
            x.high.push_back(normal.high);
            x.low.push_back(normal.low);
        }
        for (std::size_t j = 0; j < curve.points.size(); ++j)
            size += std::abs(curve.mix(i, j)) *
                    norm_bound(curve.points[j].data(), curve.points[j].size());
        x.eps = up(compensated(curve.points.size()) * size + underflow);
        inputs_[0].entries.push_back(std::move(x));
    }
}

void ExtendedNetwork::set_pattern(const Pattern& pattern) {
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

const ExtendedNetwork::Inputs& ExtendedNetwork::inputs(std::size_t level) {
    Inputs& out = inputs_[level];
    if (!out.ready) {
        if (!out.summed) sum(level);
        activate(level);
    }
    return out;
}

// What the activation before a level reads.
void ExtendedNetwork::sum(std::size_t level) {
    const Inputs& in = inputs(level - 1);
    const AffineMap& map = network_.map(level - 1);
    // |W| eps + |row norms| (rounding of a row), see the filter's bound.
    const double rounding = up(compensated(map.terms()) * map.frobenius_norm());
    std::vector<Coefficient>& sums = inputs_[level].sums;
    sums.resize(weights_.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
        const Coefficient& x = in.entries[i];
        Coefficient& out = sums[i];
        out.high.resize(map.outputs());
        out.low.resize(map.outputs());
        for (std::size_t q = 0; q < map.outputs(); ++q) {
            const Pair bias = two_product(map.bias()[q], weights_[i]);
            out.high[q] = bias.high;
            out.low[q] = bias.low;
        }
        map.add_extended(x.high.data(), x.low.data(), out.high.data(), out.low.data(), scratch_);
        // What passes is read as it is, and a low part must be small beside its high one.
        normalise(out.high.data(), out.low.data(), map.outputs());
        const double inherited = x.eps > 0 ? map.spectral_norm() * x.eps : 0;
        out.eps = up(inherited + rounding * x.norm + underflow);
    }
    inputs_[level].summed = true;
}

// The activation on the pattern's pieces.
void ExtendedNetwork::activate(std::size_t level) {
    const Level& made_by = network_.level(level - 1);
    const Activation& phi = made_by.activation;
    Inputs& out = inputs_[level];
    out.entries = out.sums;  // what passes stays
    for (std::size_t i = 0; i < weights_.size(); ++i) {
        const Coefficient& z = out.sums[i];
        Coefficient& h = out.entries[i];
        const Ball w(weights_[i]);
        for (std::size_t q = 0; q < phi.width(); ++q) {
            const std::size_t piece = phi.piece(out.letters.data(), q);
            const Pair offset{phi.offset(piece, q), phi.offset_low(piece, q)};
            Ball value = Ball(phi.slope(piece, q)) * Ball({z.high[q], z.low[q]}, 0);
            if (weights_[i] != 0) value = value + Ball(offset, 0) * w;
            h.high[q] = value.high;
            h.low[q] = value.low;
        }
        bound_norm(i, h);
        // The operations above lose at most extended_rounding of their operands, the slope times
        // the pre-activation and the offset, which may cancel; the offset errs by as little.
        const double n = static_cast<double>(phi.width());
        const double size = made_by.lipschitz() * (norm_bound(z.high.data(), z.high.size()) +
                                                   norm_bound(z.low.data(), z.low.size())) +
                            n * phi.largest_offset() * std::abs(weights_[i]);
        h.eps = up(made_by.lipschitz() * z.eps + 8 * extended_rounding(size) + n * underflow);
    }
    out.ready = true;
}

Polynomial<Ball> ExtendedNetwork::pre_activation(std::size_t level, std::size_t neuron) {
    const Inputs& in = inputs(level);
    const AffineMap& map = network_.map(level);
    std::vector<Pair> sums;
    for (const double w : weights_) sums.push_back(two_product(map.bias()[neuron], w));
    map.for_each_in_row(neuron, [&](std::size_t j, double weight) {
        for (std::size_t i = 0; i < sums.size(); ++i)
            add_product(sums[i], {in.entries[i].high[j], in.entries[i].low[j]}, weight);
    });
    const double scale = map.row_norms()[neuron], rounding = compensated(map.terms());
    Polynomial<Ball> out;
    for (std::size_t i = 0; i < sums.size(); ++i) {
        const Coefficient& x = in.entries[i];
        out.emplace_back(sums[i], up(scale * (x.eps + rounding * x.norm) + underflow));
    }
    return out;
}

Polynomial<Ball> ExtendedNetwork::margin(std::size_t level, std::size_t neuron,
                                         std::size_t threshold) {
    Polynomial<Ball> f = pre_activation(level, neuron);
    const Ball theta(network_.level(level).activation.threshold(threshold));
    for (std::size_t i = 0; i < f.size(); ++i)
        if (weights_[i] != 0) f[i] = f[i] - theta * Ball(weights_[i]);
    return f;
}

}  // namespace pyexpr
