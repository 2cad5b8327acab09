#include "pyexpr/sinks.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace pyexpr {

void BoundarySink::Kept::keep(const Network& network, const Pattern& pattern) {
    levels_.resize(pattern.size());
    for (std::size_t l = 0; l < pattern.size(); ++l) {
        const Activation& phi = network.level(l).activation;
        levels_[l].assign(pattern[l], pattern[l] + phi.thresholds() * phi.words());
    }
}

void BoundarySink::Kept::view(Pattern& out) const {
    out.resize(levels_.size());
    for (std::size_t l = 0; l < levels_.size(); ++l) out[l] = levels_[l].data();
}

void BoundarySink::cells(const Partitions& partitions, const Slice& slice,
                         PredicatesOf& predicates) {
    const Partition& p = partitions[slice.level];
    if (begun_) last_.view(left_);
    for (std::size_t c = slice.first; c < slice.last; ++c) {
        if (p.is_gap(c)) continue;
        const Vertex& start = p.vertices[c];
        gather_pattern(partitions, slice.level, c, right_);
        cell(p, c);
        if (!begun_) {
            first_.keep(network_, right_);
            first_vertex_ = start;
            begin(right_);
            begun_ = true;
        } else if (is_breakpoint(start)) {
            boundary({start.piece, start, left_, right_}, predicates.piece(start.piece));
        }
        std::swap(left_, right_);
    }
    last_.keep(network_, left_);
    pause();
}

void BoundarySink::append(Sink& next, PredicatesOf& predicates) {
    auto& later = static_cast<BoundarySink&>(next);
    if (!later.begun_) {
        absorb(later);
        return;
    }
    if (begun_) {
        approach(later);
        last_.view(left_);
        later.first_.view(right_);
        const Vertex& start = later.first_vertex_;
        if (is_breakpoint(start))
            boundary({start.piece, start, left_, right_}, predicates.piece(start.piece));
        absorb(later);
    } else {
        absorb(later);
        first_ = std::move(later.first_);
        first_vertex_ = later.first_vertex_;
        begun_ = true;
    }
    last_ = std::move(later.last_);
}

Certificate BoundarySink::finish() {
    if (!trajectory_.closed) return {};
    last_.view(left_);
    first_.view(right_);
    Vertex seam;
    if (const auto* curve = std::get_if<RationalBezier>(&trajectory_.pieces[0]))
        seam.t = curve->start;
    const auto predicates = make_predicates(network_, trajectory_.pieces, 0);
    if (is_breakpoint(seam))
        boundary({trajectory_.pieces.size(), seam, left_, right_}, *predicates);
    return predicates->certificate();
}

// At every vertex a neuron of some level crosses, but in a pool no letter may change, and where two
// pieces join nothing has to.
bool BoundarySink::is_breakpoint(const Vertex& vertex) {
    if (!pools_ && vertex.level != Vertex::given) return true;
    find_changes(network_, left_, right_, changes_);
    return !changes_.empty();
}

bool BoundarySink::joint_changes(const Boundary& boundary, Predicates& predicates) const {
    const std::size_t pieces = trajectory_.pieces.size();
    return predicates.joint_changes((boundary.piece + pieces - 1) % pieces, boundary.left,
                                    boundary.right);
}

CountRegions::CountRegions(const Network& network, const Trajectory& trajectory)
    : BoundarySink(network, trajectory),
      counts_cells_(is_simple() && !pools() && network.depth() > 0),
      closed_(trajectory.closed) {}

namespace {

// How many parts breakpoints make of a trajectory.
std::int64_t parts(std::int64_t breakpoints, bool closed) {
    return closed ? std::max<std::int64_t>(breakpoints, 1) : breakpoints + 1;
}

}  // namespace

std::int64_t CountRegions::count() const { return counts_cells_ ? found_ : parts(found_, closed_); }

void CountPatterns::insert(const Pattern& pattern) {
    std::string key;
    const auto append = [&](const auto* values, std::size_t n) {
        key.append(reinterpret_cast<const char*>(values), n * sizeof(*values));
    };
    for (const Layer& layer : network().layers()) {
        if (const auto* neurons = std::get_if<Elementwise>(&layer)) {
            const Activation& phi = network().level(neurons->level).activation;
            append(pattern[neurons->level], phi.thresholds() * phi.words());
            continue;
        }
        for (std::size_t q = 0; q < width(network(), layer); ++q) {
            const auto winner = static_cast<std::uint32_t>(letter(network(), layer, pattern, q));
            append(&winner, 1);
        }
    }
    patterns_.insert(std::move(key));
}

CountTransitions::CountTransitions(const Network& network, const Trajectory& trajectory)
    : BoundarySink(network, trajectory), counts(network.neurons(), 0) {
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

void CountTransitions::absorb(BoundarySink& next) {
    const auto& more = static_cast<CountTransitions&>(next).counts;
    std::transform(more.begin(), more.end(), counts.begin(), counts.begin(), std::plus{});
}

void CountPieces::cell(const Partition& cells, std::size_t cell) {
    std::swap(before_, after_);
    const AffineMap& readout = network().readout();
    if (!here_.measure(readout, cells, cell, End::left))
        throw NotFinite{network().depth(), cells.vertices[cell].piece};
    if (cells.degree == 1)
        after_ = here_;
    else if (!after_.measure(readout, cells, cell, End::right))
        throw NotFinite{network().depth(), cells.vertices[cell].piece};
}

void CountPieces::boundary(const Boundary& boundary, Predicates& predicates) {
    const bool joint = boundary.vertex.level == Vertex::given;
    const bool bends = joint ? joint_changes(boundary, predicates)
                             : predicates.slope_changes(before_, here_, boundary.left,
                                                        boundary.right);
    bends_ += bends;
    merged_or_not(boundary, bends, predicates);
}

void CountPieces::approach(const BoundarySink& next) {
    std::swap(before_, after_);
    here_ = static_cast<const CountPieces&>(next).first_;
}

void CountPieces::absorb(BoundarySink& next) {
    auto& later = static_cast<CountPieces&>(next);
    bends_ += later.bends_;
    if (!later.has_begun()) return;
    if (!has_begun()) first_ = std::move(later.first_);
    after_ = std::move(later.after_);
}

std::int64_t CountPieces::count() const { return parts(bends_, closed_); }

void Trace::begin(const Pattern& pattern) {
    CountPieces::begin(pattern);
    for (const Layer& layer : network().layers())
        for (std::size_t q = 0; q < width(network(), layer); ++q)
            first_pattern.push_back(
                static_cast<std::int16_t>(letter(network(), layer, pattern, q)));
}

std::size_t Trace::bytes() const {
    return breakpoints.size() * (sizeof(double) + sizeof(std::int64_t) + 1) +
           transitions.size() * sizeof(Transition);
}

void Trace::merged_or_not(const Boundary& boundary, bool bend, Predicates& predicates) {
    const auto index = static_cast<std::int64_t>(breakpoints.size());
    breakpoints.push_back(predicates.position(boundary.left, boundary.vertex));
    pieces.push_back(static_cast<std::int64_t>(boundary.piece));
    bends.push_back(bend);
    find_changes(network(), boundary.left, boundary.right, changes_);
    for (const Change& change : changes_)
        transitions.push_back({index, static_cast<std::int32_t>(change.layer),
                               static_cast<std::int32_t>(change.neuron),
                               static_cast<std::int16_t>(change.before),
                               static_cast<std::int16_t>(change.after)});
}

namespace {

template <class T>
void move_behind(std::vector<T>& more, std::vector<T>& all) {
    all.insert(all.end(), more.begin(), more.end());
    more = {};
}

}  // namespace

void Trace::absorb(BoundarySink& next) {
    auto& later = static_cast<Trace&>(next);
    for (Transition& transition : later.transitions)
        transition.breakpoint += static_cast<std::int64_t>(breakpoints.size());
    move_behind(later.breakpoints, breakpoints);
    move_behind(later.pieces, pieces);
    move_behind(later.transitions, transitions);
    move_behind(later.bends, bends);
    noted_bytes += later.noted_bytes;
    if (!has_begun()) first_pattern = std::move(later.first_pattern);
    CountPieces::absorb(later);
}

}  // namespace pyexpr
