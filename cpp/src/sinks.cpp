#include "pyexpr/sinks.hpp"

#include <utility>

namespace pyexpr {
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
        if ((c > slice.first || !first_call) && is_breakpoint())
            boundary({p.vertices[c], left_, right_}, predicates);
        std::swap(left_, right_);
    }
    keep(left_);
}

// At every vertex a neuron of some level crosses, but in a pool no letter may change.
bool BoundarySink::is_breakpoint() {
    if (!pools_) return true;
    find_changes(network_, left_, right_, changes_);
    return !changes_.empty();
}

CountRegions::CountRegions(const Network& network)
    : BoundarySink(network), counts_cells_(!pools() && network.depth() > 0) {
    count = counts_cells_ ? 0 : 1;
}

CountTransitions::CountTransitions(const Network& network)
    : BoundarySink(network), counts(network.neurons(), 0) {
    std::size_t offset = 0;
    for (const Layer& layer : network.layers()) {
        offsets_.push_back(offset);
        offset += width(network, layer);
    }
}

void CountTransitions::boundary(const Boundary& boundary, Predicates&) {
    find_changes(network(), boundary.left, boundary.right, changes_);
    for (const Change& change : changes_) ++counts[offsets_[change.layer] + change.neuron];
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
    for (const Layer& layer : network().layers())
        for (std::size_t q = 0; q < width(network(), layer); ++q)
            first_pattern.push_back(
                static_cast<std::int16_t>(letter(network(), layer, pattern, q)));
}

void Trace::merged_or_not(const Boundary& boundary, bool bend, Predicates& predicates) {
    const auto index = static_cast<std::int64_t>(breakpoints.size());
    breakpoints.push_back(predicates.position(boundary.left, boundary.vertex));
    bends.push_back(bend);
    find_changes(network(), boundary.left, boundary.right, changes_);
    for (const Change& change : changes_)
        transitions.push_back({index, static_cast<std::int32_t>(change.layer),
                               static_cast<std::int32_t>(change.neuron),
                               static_cast<std::int16_t>(change.before),
                               static_cast<std::int16_t>(change.after)});
}

}  // namespace pyexpr
