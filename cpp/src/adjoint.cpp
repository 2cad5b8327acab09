#include "pyexpr/adjoint.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "pyexpr/ball.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// What adding up the blocks' entries to those of a map loses, where these have that norm.
double sum_of_blocks(const AffineMap& map, double norm) {
    return map.disjoint_inputs() ? 0 : up(gamma(map.blocks().size()) * norm + underflow);
}

// The only neuron that changes its letter between two cells, and the threshold it passes.
struct Switch {
    std::size_t level, neuron, threshold;
};

std::optional<Switch> only_switch(const Network& network, const Pattern& left,
                                  const Pattern& right) {
    std::optional<Switch> found;
    for (std::size_t l = 0; l < network.depth(); ++l) {
        if (left[l] == right[l]) continue;  // both cells descend from one cell of this level
        const std::size_t words = network.level(l).activation.words();
        const std::size_t thresholds = network.level(l).activation.thresholds();
        for (std::size_t w = 0; w < thresholds * words; ++w) {
            const Word differs = left[l][w] ^ right[l][w];
            if (differs == 0) continue;
            if (found || (differs & (differs - 1)) != 0) return std::nullopt;
            const auto bit = static_cast<std::size_t>(std::countr_zero(differs));
            found = Switch{l, w % words * 64 + bit, w / words};
        }
    }
    return found;
}

}  // namespace

double Adjoint::error(const Partitions& partitions, std::size_t level, std::size_t cell,
                      std::size_t neuron, double enough) {
    gather_pattern(partitions, level, cell, pattern_);
    const Partition* after = &partitions[level];
    const double scale = network_.map(level).row_norms()[neuron];
    // Of the level's own sums and inputs; then, of what errors of its inputs pass on.
    double bound = scale * (after->largest_rho(cell) + after->largest(after->local, cell));
    for (std::size_t l = level; l-- > 0;) {
        find_active(l, pattern_[l]);
        if (l + 1 == level)
            to_outputs(l, neuron);
        else
            to_outputs_through(network_.map(l + 1));
        const double rest = here_.norm * after->largest(after->eps, cell);
        if (const double closed = up(bound + rest + underflow); closed <= enough) return closed;
        to_pre_activations(l, pattern_[l]);
        cell = after->parent[cell];
        const Partition& p = partitions[l];
        const AffineMap& map = network_.map(l);
        const double rho = after->extended() ? p.largest(p.rho, cell) : p.largest_rho(cell);
        double weighted = 0;
        for (const std::uint32_t j : active_)
            weighted += std::abs(here_.value[j]) * map.row_norms()[j];
        bound += (weighted + here_.error * map.frobenius_norm()) * rho;
        if (l > 0) bound += here_.norm * map.spectral_norm() * p.largest(p.local, cell);
        after = &p;
    }
    return up(bound + underflow);
}

// The neurons that are not constant on the cell.
void Adjoint::find_active(std::size_t level, const Word* letters) {
    const Activation& phi = network_.level(level).activation;
    const std::size_t words = phi.words();
    std::swap(active_, last_active_);
    active_.clear();
    for (std::size_t w = 0; w < words; ++w) {
        Word active = 0;
        for (std::size_t piece = 0; piece < phi.pieces(); ++piece) {
            const Word reached = piece == 0 ? ~Word{0} : letters[(piece - 1) * words + w];
            const Word passed = piece + 1 == phi.pieces() ? 0 : letters[piece * words + w];
            active |= reached & ~passed & ~phi.flat(piece)[w];
        }
        active &= first_bits(phi.width() - w * 64);
        for_each_bit(active, w * 64,
                     [&](std::size_t q) { active_.push_back(static_cast<std::uint32_t>(q)); });
    }
    for (std::size_t q = phi.width(); q < network_.level(level).entries(); ++q)
        active_.push_back(static_cast<std::uint32_t>(q));
}

// Of a neuron of the next level to the outputs of this one.
void Adjoint::to_outputs(std::size_t level, std::size_t neuron) {
    const AffineMap& map = network_.map(level + 1);
    here_.value.assign(map.inputs(), 0.0);
    if (const Dense* dense = map.dense()) {
        for (const std::uint32_t j : active_) here_.value[j] = dense->column(j)[neuron];
    } else {
        next_.value.assign(map.inputs(), 0.0);
        map.for_each_in_row(neuron, [&](std::size_t j, double w) { next_.value[j] += w; });
        for (const std::uint32_t j : active_) here_.value[j] = next_.value[j];
    }
    here_.error = sum_of_blocks(map, map.row_norms()[neuron]);
    here_.norm = up(norm_bound(here_.value.data(), here_.value.size()) + here_.error);
}

// From sensitivity to a map's outputs to that to its inputs.
void Adjoint::to_outputs_through(const AffineMap& map) {
    next_.value.assign(map.inputs(), 0.0);
    if (const Dense* dense = map.dense(); !dense) {
        sums_.assign(map.inputs(), 0.0);
        map.add_transposed(here_.value.data(), sums_.data(), scratch_);
        for (const std::uint32_t j : active_) next_.value[j] = sums_[j];
    } else if (8 * last_active_.size() < map.outputs()) {
        for (const std::uint32_t i : active_)
            for (const std::uint32_t j : last_active_)
                next_.value[i] += dense->column(i)[j] * here_.value[j];
    } else {
        for (const std::uint32_t i : active_)
            next_.value[i] = dot(dense->column(i), here_.value.data(), map.outputs());
    }
    next_.error = up(map.spectral_norm() * here_.error +
                     gamma(map.column_terms()) * map.frobenius_norm() * here_.norm + underflow);
    next_.norm = up(norm_bound(next_.value.data(), next_.value.size()) + next_.error);
    std::swap(here_, next_);
}

// From sensitivity to the outputs of a level's neurons to that to their pre-activations.
void Adjoint::to_pre_activations(std::size_t level, const Word* letters) {
    const Level& at = network_.level(level);
    bool rounded = false;
    for (const std::uint32_t j : active_) {
        const double slope = at.slope(letters, j);
        rounded = rounded || (std::abs(slope) != 1 && here_.value[j] != 0);
        here_.value[j] *= slope;
    }
    here_.norm = up(at.lipschitz() * here_.norm + underflow);
    if (here_.error > 0) here_.error = up(at.lipschitz() * here_.error + underflow);
    if (rounded) here_.error = up(here_.error + unit_roundoff * here_.norm + underflow);
}

double Adjoint::root_error(const Partitions& partitions, std::size_t level, std::size_t cell,
                           std::size_t neuron, std::size_t threshold, double t, double enough) {
    const Partition& p = partitions[level];
    const double t0 = p.vertices[cell].t, length = p.length(cell);
    if (!(length > 0)) return std::numeric_limits<double>::infinity();
    const double theta = network_.level(level).activation.threshold(threshold);
    const double a = p.value(cell, neuron), b = p.value(cell + 1, neuron);
    const double change = std::abs(b - a);
    const Pair s = (Pair{t} - Pair{t0}) / (Pair{p.vertices[cell + 1].t} - Pair{t0});
    const Pair z = Pair{a} + s * (Pair{b} - Pair{a}) - Pair{theta};
    const double size = std::abs(a) + std::abs(b) + std::abs(theta);
    const double miss = std::abs(z.high) * (1 + 0x1p-20) + 4 * extended_rounding(size);
    // With an error of a quarter of the change, tau is at most twice what it is without.
    const double wanted = std::min(change / 4, enough * (change / length) / 2 - miss);
    const double e = error(partitions, level, cell, neuron, wanted);
    const double sure = change * (1 - 0x1p-20) - 2 * e;
    if (!(sure > 0)) return std::numeric_limits<double>::infinity();
    return up((e + miss) / sure * length + underflow);
}

std::optional<bool> Adjoint::slope_changes(const Pattern& left, const Pattern& right) {
    const std::optional<Switch> at = only_switch(network_, left, right);
    if (!at) return std::nullopt;
    const Activation& phi = network_.level(at->level).activation;
    if (phi.slope(at->threshold + 1, at->neuron) == phi.slope(at->threshold, at->neuron))
        return false;
    const AffineMap& first = network_.map(at->level + 1);
    here_.value.assign(first.outputs(), 0.0);
    first.add_column(at->neuron, 1.0, here_.value.data());
    here_.error = sum_of_blocks(first, first.frobenius_norm());
    for (std::size_t l = at->level + 1; l < network_.depth(); ++l) {
        here_.norm = up(norm_bound(here_.value.data(), here_.value.size()) + here_.error);
        find_active(l, left[l]);
        to_pre_activations(l, left[l]);
        if (!push_forward(l)) return false;
    }
    for (double x : here_.value)
        if (std::isfinite(x) && std::abs(x) > here_.error) return true;
    return here_.error > 0 ? std::nullopt : std::optional(false);
}

// Of the next level's pre-activations to something, from that of this level's, which has been
// multiplied by the slopes; false if nothing gets through.
bool Adjoint::push_forward(std::size_t level) {
    const AffineMap& map = network_.map(level + 1);
    next_.value.assign(map.outputs(), 0.0);
    const bool any = std::any_of(active_.begin(), active_.end(),
                                 [&](std::uint32_t j) { return here_.value[j] != 0; });
    if (!any && here_.error == 0) return false;
    if (map.dense()) {
        for (const std::uint32_t j : active_)
            if (here_.value[j] != 0) map.add_column(j, here_.value[j], next_.value.data());
    } else {
        sums_.assign(map.inputs(), 0.0);
        for (const std::uint32_t j : active_) sums_[j] = here_.value[j];
        map.multiply(1, sums_.data(), next_.value.data(), scratch_);
    }
    next_.error = up(map.spectral_norm() * here_.error +
                     gamma(map.terms()) * map.frobenius_norm() * here_.norm + underflow);
    std::swap(here_, next_);
    return true;
}

}  // namespace pyexpr
