#include "pyexpr/identities.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace pyexpr {
namespace {

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value + 0.0); }

std::uint64_t hash(const std::vector<std::uint64_t>& key) {
    std::uint64_t h = key.size();
    for (const std::uint64_t word : key) {
        h = (h ^ word) * 0x9e3779b97f4a7c15;
        h ^= h >> 32;
    }
    return h;
}

}  // namespace

Identities::Identities(const Network& network, Points points, std::function<void()> poll)
    : network_(network),
      points_(std::move(points)),
      poll_(std::move(poll)),
      numbers_(network.depth() + 1),
      first_(2) {
    for (std::size_t l = 0; l <= network.depth(); ++l) numbers_[l].resize(network.map(l).inputs());
}

bool Identities::cancel(std::vector<Term>& terms) {
    std::erase_if(terms, [](const Term& term) { return term.number == zero; });
    const auto size = [](const Term& term) {
        return std::pair(term.number, std::abs(term.weight));
    };
    std::sort(terms.begin(), terms.end(),
              [&](const Term& a, const Term& b) { return size(a) < size(b); });
    for (auto group = terms.begin(); group != terms.end();) {
        const auto end = std::find_if(group, terms.end(),
                                      [&](const Term& term) { return size(term) != size(*group); });
        if (2 * std::count_if(group, end, [](const Term& term) { return term.weight > 0; }) !=
            end - group)
            return false;
        group = end;
    }
    return true;
}

Identities::Number Identities::number(std::size_t level, std::size_t entry) {
    Number& known = numbers_[level][entry];
    if (known == 0) known = find(level, entry);
    return known;
}

Identities::Number Identities::find(std::size_t level, std::size_t entry) {
    if (level > 0) {
        poll_();
        network_.map(level - 1).for_each_in_row(entry, [&](std::size_t j, double) {
            number(level - 1, j);
        });
    }
    if (is_zero(level, entry)) return zero;
    write_key(level, entry, key_);
    // A copy.
    if (key_.size() == 4 && key_[0] == 0 && key_[1] == 0 && key_[2] == bits(1))
        return static_cast<Number>(key_[3]);
    const std::uint64_t h = hash(key_);
    const auto [begin, end] = by_hash_.equal_range(h);
    for (auto candidate = begin; candidate != end; ++candidate) {
        const Place& place = first_[candidate->second];
        write_key(place.level, place.entry, other_);
        if (key_ == other_) return candidate->second;
    }
    const auto fresh = static_cast<Number>(first_.size());
    first_.push_back({level, entry});
    by_hash_.emplace(h, fresh);
    return fresh;
}

// By its terms: all that it is a sum of cancels, and its activation leaves zero as it is.
bool Identities::is_zero(std::size_t level, std::size_t entry) const {
    if (level == 0)
        return std::all_of(points_.begin(), points_.end(),
                           [&](const Input& point) { return point[entry] == 0; });
    const Level& made_by = network_.level(level - 1);
    const Activation& phi = made_by.activation;
    if (made_by.map().bias()[entry] != 0) return false;
    if (entry < phi.width()) {
        std::size_t piece = 0;
        for (std::size_t k = 0; k < phi.thresholds(); ++k) piece += phi.threshold(k) < 0;
        if (!phi.linear(piece, entry)) return false;
    }
    std::vector<Term> terms;
    made_by.map().for_each_in_row(entry, [&](std::size_t j, double weight) {
        if (weight != 0 && terms.size() <= most_terms)
            terms.push_back({numbers_[level - 1][j], weight});
    });
    return terms.size() <= most_terms && cancel(terms);
}

// What the entry is made of, without zeros: a level's number and slopes where it is a neuron, the
// bias, and weights with the numbers of what they multiply.
void Identities::write_key(std::size_t level, std::size_t entry, Key& key) const {
    key.clear();
    if (level == 0) {
        key.push_back(~std::uint64_t{0});
        for (const Input& point : points_) key.push_back(bits(point[entry]));
        return;
    }
    const Level& made_by = network_.level(level - 1);
    const Activation& phi = made_by.activation;
    const bool neuron = entry < phi.width();
    key.push_back(neuron ? level : 0);
    for (std::size_t piece = 0; neuron && piece < phi.pieces(); ++piece)
        key.push_back(bits(phi.slope(piece, entry)));
    key.push_back(bits(made_by.map().bias()[entry]));
    made_by.map().for_each_in_row(entry, [&](std::size_t j, double weight) {
        const Number of_input = numbers_[level - 1][j];
        if (weight == 0 || of_input == zero) return;
        key.push_back(bits(weight));
        key.push_back(of_input);
    });
}

}  // namespace pyexpr
