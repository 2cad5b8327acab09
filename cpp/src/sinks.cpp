#include "pyexpr/sinks.hpp"

#include <utility>

namespace pyexpr {
namespace {

// Visits the neurons whose letters differ, in graph order.
template <class Visit>
void for_each_transition(const Network& network, const Boundary& boundary, Visit&& visit) {
    for (std::size_t l = 0; l < network.depth(); ++l) {
        const Word* left = boundary.left[l];
        const Word* right = boundary.right[l];
        if (left == right) continue;  // both cells descend from one cell of this level
        const Activation& phi = network.level(l).activation;
        for (std::size_t w = 0; w < phi.words(); ++w) {
            Word differs = 0;
            for (std::size_t k = 0; k < phi.thresholds(); ++k)
                differs |= left[k * phi.words() + w] ^ right[k * phi.words() + w];
            for_each_bit(differs, w * 64, [&](std::size_t q) {
                visit(l, q, phi.piece(left, q), phi.piece(right, q));
            });
        }
    }
}

}  // namespace

void BoundarySink::keep(const Pattern& pattern) {
    kept_.resize(pattern.size());
    for (std::size_t l = 0; l < pattern.size(); ++l) {
        const Activation& phi = network_.level(l).activation;
        kept_[l].assign(pattern[l], pattern[l] + phi.thresholds() * phi.words());
    }
}

void BoundarySink::cells(const Partitions& partitions, const Slice& slice, Predicates& predicates) {
    const Partition& p = partitions[slice.level];
    const bool first_call = p.vertices[slice.first].t == 0 &&
                            p.vertices[slice.first].level == Vertex::given;
    begin(partitions, slice);
    left_.resize(slice.level);
    for (std::size_t l = 0; l < slice.level && !first_call; ++l) left_[l] = kept_[l].data();
    for (std::size_t c = slice.first; c < slice.last; ++c) {
        gather_pattern(partitions, slice.level, c, right_);
        cell(p, c);
        if (c > slice.first || !first_call) boundary({p.vertices[c], left_, right_}, predicates);
        std::swap(left_, right_);
    }
    keep(left_);
}

CountTransitions::CountTransitions(const Network& network)
    : BoundarySink(network), counts(network.neurons(), 0) {
    std::size_t offset = 0;
    for (std::size_t l = 0; l < network.depth(); ++l) {
        offsets_.push_back(offset);
        offset += network.level(l).activation.width();
    }
}

void CountTransitions::boundary(const Boundary& boundary, Predicates&) {
    for_each_transition(network(), boundary,
                        [&](std::size_t l, std::size_t q, std::size_t, std::size_t) {
                            ++counts[offsets_[l] + q];
                        });
}

void CountPieces::cell(const Partition& cells, std::size_t cell) {
    std::swap(before_, here_);
    if (!here_.measure(network().readout(), cells, cell)) throw NotFinite{network().depth()};
}

void CountPieces::boundary(const Boundary& boundary, Predicates& predicates) {
    const bool bends = predicates.slope_changes(before_, here_, boundary.left, boundary.right);
    count += bends;
    merged_or_not(boundary, bends, predicates);
}

void Trace::begin(const Partitions& partitions, const Slice& slice) {
    if (!first_pattern.empty()) return;
    Pattern pattern;
    gather_pattern(partitions, slice.level, slice.first, pattern);
    for (std::size_t l = 0; l < network().depth(); ++l)
        for (std::size_t q = 0; q < network().level(l).activation.width(); ++q)
            first_pattern.push_back(
                static_cast<std::int8_t>(network().level(l).activation.piece(pattern[l], q)));
}

void Trace::merged_or_not(const Boundary& boundary, bool bend, Predicates& predicates) {
    const auto index = static_cast<std::int64_t>(breakpoints.size());
    breakpoints.push_back(predicates.position(boundary.left, boundary.vertex));
    bends.push_back(bend);
    for_each_transition(network(), boundary,
                        [&](std::size_t l, std::size_t q, std::size_t before, std::size_t after) {
                            transitions.push_back({index, static_cast<std::int32_t>(l),
                                                   static_cast<std::int32_t>(q),
                                                   static_cast<std::int8_t>(before),
                                                   static_cast<std::int8_t>(after)});
                        });
}

}  // namespace pyexpr
