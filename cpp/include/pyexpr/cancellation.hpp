// Neurons that are plainly their bias: all else that they are a sum of is zero by the letters, or
// cancels. Of what max pooling compares, much is two ReLUs that are off, or two places of an even
// background; no bound on rounding could tell that from a near tie.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "pyexpr/identities.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// Letters on some cells: thresholds that are passed on all of them, and on at least one.
struct LetterRange {
    const Pattern &always, &sometimes;
};

// What a piece is made of.
struct Sources {
    Identities::Points points;  // mixed alike for every input
    // Multiples of them where the piece starts and ends; or none.
    std::array<std::optional<Input>, 2> ends;
    double start = 0;  // of its parameter

    explicit Sources(const Piece& piece);
};

class Cancellation {
public:
    Cancellation(const Network& network, Sources sources)
        : network_(network), sources_of_curve_(std::move(sources)) {}

    // Whether a neuron equals its bias: at a vertex, if the letters are those of a cell beside it, or
    // on all cells with these letters if none is given.
    bool is_bias(const LetterRange& letters, const Vertex* vertex, std::size_t level,
                 std::size_t neuron, const std::function<void()>& poll);

    // Whether what switches between two neighbouring cells surely changes no output: as where only
    // entries of windows switch that are not the largest.
    bool is_unfelt(const Pattern& left, const Pattern& right);

private:
    // A term of a sum: an entry that the map into a level reads.
    struct Source {
        std::size_t level, entry;
        double weight;

        // So that what cancels stands side by side.
        friend bool operator<(const Source& a, const Source& b) {
            return std::tuple(a.level, a.entry, std::abs(a.weight)) <
                   std::tuple(b.level, b.entry, std::abs(b.weight));
        }
        friend bool operator==(const Source&, const Source&) = default;
        bool cancels(const Source& other) const {
            return level == other.level && entry == other.entry && weight == -other.weight;
        }
    };

    // Whether a row is one and the same sum of unchanged entries on both sides.
    bool is_unchanged(const Pattern& left, const Pattern& right, std::size_t level,
                      std::size_t row);
    bool find_sum(const Pattern& pattern, std::size_t level, std::size_t row);
    bool find_sources(const LetterRange& letters, std::size_t level, std::size_t row);
    void add_sources(const LetterRange& letters, std::size_t level, std::size_t row, double factor);
    Identities* identities_at(const Vertex* vertex, const std::function<void()>& poll);

    const Network& network_;
    const Sources sources_of_curve_;
    // Along the curve, at its start and at its end; made when first needed.
    std::array<std::optional<Identities>, 3> identities_;
    std::vector<Source> sources_;
    std::size_t most_sources_ = 0, steps_ = 0;
    std::vector<Identities::Term> terms_;
    std::vector<std::vector<std::size_t>> changed_;  // [depth + 1]: what maps read, ascending
};

// The letters of levels 0 .. slice.level - 1 on all cells of a slice.
class SliceLetters {
public:
    void gather(const Network& network, const Partitions& partitions, const Slice& slice);
    LetterRange range() const { return {always_rows_, sometimes_rows_}; }

private:
    std::vector<std::vector<Word>> always_, sometimes_;
    Pattern always_rows_, sometimes_rows_;
};

}  // namespace pyexpr
