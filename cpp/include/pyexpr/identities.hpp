// Which entries are one and the same function along a line by the way they are made, whatever the
// letters: as in an image's even background, where one kernel meets the same numbers everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "pyexpr/network.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// Entries are numbered when they are first asked about, and with them all that they are made of.
class Identities {
public:
    using Number = std::uint32_t;
    using Points = std::vector<Input>;
    static constexpr Number zero = 1;  // of the function that is zero everywhere
    struct Term {
        Number number;
        double weight;
    };
    // Sums of more terms are not tried.
    static constexpr std::size_t most_terms = 4096;
    // Whether the terms are zero or come in pairs that add up to zero; reorders them.
    static bool cancel(std::vector<Term>& terms);

    // Of inputs that are one linear combination of these points, whose coefficients may depend on t
    // but not on the input. `poll` is called often; it may throw to stop.
    Identities(const Network& network, Points points, std::function<void()> poll);

    // Of an entry that the map into a level reads. Equal numbers prove equal functions; functions
    // with different numbers may be equal, too.
    Number number(std::size_t level, std::size_t entry);

private:
    struct Place {
        std::size_t level, entry;
    };
    using Key = std::vector<std::uint64_t>;

    Number find(std::size_t level, std::size_t entry);
    bool is_zero(std::size_t level, std::size_t entry) const;
    void write_key(std::size_t level, std::size_t entry, Key& key) const;

    const Network& network_;
    const Points points_;
    std::function<void()> poll_;
    std::vector<std::vector<Number>> numbers_;  // [depth + 1][entries]; 0: not known yet
    std::vector<Place> first_;                  // [numbers]: the first entry that had it
    std::unordered_multimap<std::uint64_t, Number> by_hash_;
    Key key_, other_;
};

}  // namespace pyexpr
