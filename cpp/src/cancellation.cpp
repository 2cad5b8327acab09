#include "pyexpr/cancellation.hpp"

#include <algorithm>
#include <cmath>

namespace pyexpr {
namespace {

// The piece that neuron q is on wherever the letters are these.
std::optional<std::size_t> sure_piece(const Activation& phi, const LetterRange& letters,
                                      std::size_t level, std::size_t q) {
    const std::size_t most = phi.piece(letters.sometimes[level], q);
    if (phi.piece(letters.always[level], q) != most) return std::nullopt;
    return most;
}

// More changes than that are not followed.
constexpr std::size_t most_changes = 1024;

// Of one search: terms that vanish or are traced back are no sources, and their number may double
// from level to level.
constexpr std::size_t most_steps = 1 << 14;

void sort_unique(std::vector<std::size_t>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

Sources::Sources(const Piece& piece) {
    if (const auto* line = std::get_if<Line>(&piece)) {
        points = {line->x0, line->x1};
        ends = {line->x0, line->x1};
        return;
    }
    const auto& curve = std::get<RationalBezier>(piece);
    points.assign(curve.points.begin(), curve.points.end());
    const auto only_point = [&](std::size_t row) -> std::optional<Input> {
        std::optional<Input> found;
        for (std::size_t j = 0; j < curve.points.size(); ++j) {
            if (curve.mix(row, j) == 0) continue;
            if (found) return std::nullopt;
            found = curve.points[j];
        }
        return found;
    };
    start = curve.start;
    ends = {curve.start == 0 ? only_point(0) : std::nullopt,
            curve.end == 1 ? only_point(curve.degree()) : std::nullopt};
}

bool Cancellation::is_bias(const LetterRange& letters, const Vertex* vertex, std::size_t level,
                           std::size_t neuron, const std::function<void()>& poll) {
    // What meets in a row of many weights hardly cancels.
    most_sources_ = network_.map(level).is_sparse(neuron) ? Identities::most_terms : 0;
    if (!find_sources(letters, level, neuron)) return false;
    Identities* identities = identities_at(vertex, poll);
    if (!identities) return sources_.empty();
    terms_.clear();
    for (const Source& s : sources_)
        terms_.push_back({identities->number(s.level, s.entry), s.weight});
    return Identities::cancel(terms_);
}

// The terms that are not zero by the letters. Copies and short sums, and ReLUs that are on after
// them, are traced back to their own terms. False if there are too many.
bool Cancellation::find_sources(const LetterRange& letters, std::size_t level, std::size_t row) {
    sources_.clear();
    steps_ = 0;
    add_sources(letters, level, row, 1);
    return sources_.size() <= most_sources_ && steps_ <= most_steps;
}

// Times a factor of 1 or -1.
void Cancellation::add_sources(const LetterRange& letters, std::size_t level, std::size_t row,
                               double factor) {
    const auto add = [&](std::size_t j, double weight) {
        if (level > 0) {
            const Level& before = network_.level(level - 1);
            const Activation& phi = before.activation;
            double slope = 1;
            bool scales = true;
            if (j < phi.width()) {
                const auto piece = sure_piece(phi, letters, level - 1, j);
                scales = piece && phi.linear(*piece, j);
                slope = scales ? phi.slope(*piece, j) : 0;
            }
            if (scales && slope == 0) return;
            if (scales && slope == 1 && std::abs(weight) == 1 && before.map().bias()[j] == 0 &&
                before.map().is_sparse(j)) {
                add_sources(letters, level - 1, j, weight);
                return;
            }
        }
        sources_.push_back({level, j, weight});
    };
    network_.map(level).for_each_in_row(row, [&](std::size_t j, double weight) {
        if (weight == 0 || sources_.size() > most_sources_ || steps_ > most_steps) return;
        ++steps_;
        add(j, factor * weight);
    });
}

// More is equal at an end of the curve than along it.
Identities* Cancellation::identities_at(const Vertex* vertex, const std::function<void()>& poll) {
    const bool given = vertex && vertex->level == Vertex::given;
    const std::size_t which = !given ? 0 : vertex->t == sources_of_curve_.start ? 1 : 2;
    if (which > 0 && !sources_of_curve_.ends[which - 1]) return nullptr;
    if (!identities_[which])
        identities_[which].emplace(network_,
                                   which == 0
                                       ? sources_of_curve_.points
                                       : Identities::Points{*sources_of_curve_.ends[which - 1]},
                                   poll);
    return &*identities_[which];
}

bool Cancellation::is_unfelt(const Pattern& left, const Pattern& right) {
    changed_.assign(network_.depth() + 1, {});
    std::vector<std::size_t> rows;
    for (std::size_t l = 0; l <= network_.depth(); ++l) {
        const AffineMap& map = network_.map(l);
        rows.clear();
        for (const std::size_t j : changed_[l]) {
            map.for_each_in_column(j, [&](std::size_t q, double) { rows.push_back(q); });
            if (rows.size() > most_changes) return false;
        }
        sort_unique(rows);
        std::erase_if(rows, [&](std::size_t q) {
            return map.is_sparse(q) && is_unchanged(left, right, l, q);
        });
        if (l == network_.depth()) return rows.empty();
        const Activation& phi = network_.level(l).activation;
        std::vector<std::size_t>& out = changed_[l + 1];
        for (const std::size_t q : rows)
            if (q >= phi.width() || phi.slope(phi.piece(left[l], q), q) != 0) out.push_back(q);
        if (left[l] != right[l])
            for (std::size_t w = 0; w < phi.thresholds() * phi.words(); ++w)
                for_each_bit(left[l][w] ^ right[l][w], w % phi.words() * 64,
                             [&](std::size_t q) { out.push_back(q); });
        sort_unique(out);
    }
    return true;
}

bool Cancellation::is_unchanged(const Pattern& left, const Pattern& right, std::size_t level,
                                std::size_t row) {
    most_sources_ = Identities::most_terms;
    std::vector<Source> before;
    if (!find_sum(left, level, row)) return false;
    std::swap(before, sources_);
    return find_sum(right, level, row) && before == sources_ &&
           std::none_of(before.begin(), before.end(), [&](const Source& s) {
               return std::binary_search(changed_[s.level].begin(), changed_[s.level].end(),
                                         s.entry);
           });
}

// The row's terms on one cell, without those that cancel; false if there are too many.
bool Cancellation::find_sum(const Pattern& pattern, std::size_t level, std::size_t row) {
    if (!find_sources({pattern, pattern}, level, row)) return false;
    std::sort(sources_.begin(), sources_.end());
    auto end = sources_.begin();
    for (const Source& s : sources_) {
        if (end != sources_.begin() && (end - 1)->cancels(s))
            --end;
        else
            *end++ = s;
    }
    sources_.erase(end, sources_.end());
    return true;
}

void SliceLetters::gather(const Network& network, const Partitions& partitions,
                          const Slice& slice) {
    always_.resize(slice.level);
    sometimes_.resize(slice.level);
    always_rows_.resize(slice.level);
    sometimes_rows_.resize(slice.level);
    std::size_t first = slice.first, last = slice.last - 1;
    for (std::size_t l = slice.level; l-- > 0;) {
        const Partition& p = partitions[l + 1];
        const Activation& phi = network.level(l).activation;
        const std::size_t words = phi.thresholds() * phi.words();
        always_[l].assign(p.letter_row(first), p.letter_row(first) + words);
        sometimes_[l] = always_[l];
        for (std::size_t c = first + 1; c <= last; ++c) {
            const Word* row = p.letter_row(c);
            for (std::size_t w = 0; w < words; ++w) {
                always_[l][w] &= row[w];
                sometimes_[l][w] |= row[w];
            }
        }
        always_rows_[l] = always_[l].data();
        sometimes_rows_[l] = sometimes_[l].data();
        first = p.parent[first];
        last = p.parent[last];
    }
}

}  // namespace pyexpr
