// The three questions on which every count rests, each asked of a float64 filter first, then of
// weights and letters alone, of float64 sensitivities on one cell, of double-double arithmetic (but
// for signs and orders on curves), and of exact integers:
//   1. the sign of a pre-activation minus a threshold at a vertex, or all along a curve's cell,
//   2. the order, or equality, of two breakpoints inside one cell,
//   3. whether f's slope changes between two cells.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "pyexpr/adjoint.hpp"
#include "pyexpr/cancellation.hpp"
#include "pyexpr/certificate.hpp"
#include "pyexpr/exact.hpp"
#include "pyexpr/extended.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

enum class End { left, right };

// f's slope (on a curve, w f's) at an end of a cell with its error, output by output.
struct Slopes {
    std::vector<double> value, error;

    // False if a value is not finite.
    bool measure(const AffineMap& readout, const Partition& cells, std::size_t cell, End end);
};

// What is common to lines and curves, and all that sinks ask.
class Predicates {
public:
    Predicates(const Network& network, const std::vector<Piece>& pieces, bool certify);
    virtual ~Predicates() = default;

    // What follows is asked about this piece.
    void enter(std::size_t piece);

    // 3. Between neighbouring cells of one piece: `left` and `right` are their patterns, a and b f's
    // slopes on both sides of the breakpoint.
    bool slope_changes(const Slopes& a, const Slopes& b, const Pattern& left, const Pattern& right);
    // The same where two pieces join: whether f differs with these patterns on this piece or on
    // number `before`, the other one.
    bool joint_changes(std::size_t before, const Pattern& left, const Pattern& right);
    // The float nearest to a breakpoint (ties to even), given the pattern of a neighbouring cell.
    double position(const Pattern& pattern, const Vertex& vertex);

    const Certificate& certificate() const { return certificate_; }
    // Begins a new one.
    Certificate take_certificate() { return std::exchange(certificate_, {}); }
    // Called before every decision that the filter leaves; may throw to stop.
    std::function<void()> poll = [] {};

    // Whether the bounds alone prove that what ends at `latest` lies before what begins at
    // `earliest`, by about `gap`.
    bool surely_before(double latest, double earliest, double gap);

protected:
    virtual double settle_position(const Pattern& pattern, const Vertex& vertex) = 0;
    // Letters of all of a slice, and what is known of its neurons from them.
    void begin_slice() { tried_.clear(); }
    // Whether a neuron is plainly its bias on all cells of the slice, tried once.
    bool is_bias_on(const Partitions& partitions, const Slice& slice, std::size_t neuron);
    // The answer of double-double or else exact arithmetic.
    template <class Ask>
    auto settle(Tally& tally, Ask&& ask);
    // Of the piece, made when first needed.
    Cancellation& cancellation();
    ExtendedNetwork& extended();
    ExactNetwork& exact();

    const Network& network_;
    const std::vector<Piece>& pieces_;
    const bool certify_;
    Adjoint adjoint_;
    Certificate certificate_;

private:
    bool dead_between(const Pattern& left, const Pattern& right) const;
    // What letters and sensitivities tell.
    std::optional<bool> surely_changes(const Pattern& left, const Pattern& right);
    // Whether f is not one function of the parameter with both patterns.
    bool functions_differ(const Pattern& left, const Pattern& right);

    std::size_t piece_ = 0;
    std::optional<Cancellation> cancellation_;
    std::optional<ExtendedNetwork> extended_;
    std::optional<ExactNetwork> exact_;
    SliceLetters slice_letters_;
    // [words]: neurons tried on the slice's letters, and those that are their bias there.
    std::vector<Word> tried_, biases_;
};

// For a piece of these.
std::unique_ptr<Predicates> make_predicates(const Network& network,
                                            const std::vector<Piece>& pieces, std::size_t piece,
                                            bool certify = true);

// An answer and how far it was from a tie, where that is known.
template <class Answer>
struct Decision {
    Answer answer;
    double gap = 0;
};

template <class Ask>
auto Predicates::settle(Tally& tally, Ask&& ask) {
    poll();
    if (const auto decision = ask(extended())) {
        ++tally.extended;
        tally.note_gap(decision->gap);
        return decision->answer;
    }
    ++tally.exact;
    const auto decision = ask(exact()).value();
    tally.note_gap(decision.gap);
    return decision.answer;
}

// Raised where float64 overflows: the values are too large to locate a breakpoint.
struct NotFinite {
    std::size_t level, piece;
};

}  // namespace pyexpr
