// The questions about a rational Bezier curve. Everything is multiplied by w, which is positive: a
// pre-activation is a polynomial in u, and meets a threshold theta where that less theta w vanishes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pyexpr/algebraic.hpp"
#include "pyexpr/bernstein.hpp"
#include "pyexpr/predicates.hpp"
#include "pyexpr/root_isolation.hpp"

namespace pyexpr {

// A neuron crosses a threshold strictly inside a cell, at t up to tau.
struct CurveEvent {
    Vertex vertex;
    std::int32_t index;  // among those of this neuron and threshold in the cell
    bool rises;

    double earliest() const { return vertex.t - vertex.tau; }
    double latest() const { return vertex.t + vertex.tau; }
};

// Of one cell, [thresholds, words].
struct CellLetters {
    Word* left;  // whether a threshold is passed right after the cell's left end
    Word* crossing;  // whether it is crossed inside
};

class CurvePredicates final : public Predicates {
public:
    CurvePredicates(const Network& network, const std::vector<Piece>& pieces, bool certify);

    // Before the cells of a slice.
    using Predicates::begin_slice;
    // 1. Appends the cell's events, neuron by neuron. Throws NotFinite if a pre-activation
    // overflowed.
    void letters(const Partitions& partitions, const Slice& slice, std::size_t cell,
                 const CellLetters& out, std::vector<CurveEvent>& events);
    // 2. -1, 0, 1; both events in `cell` of partitions[level].
    int order(const Partitions& partitions, std::size_t level, std::size_t cell,
              const CurveEvent& a, const CurveEvent& b);

private:
    // What is asked: where a neuron passes a threshold in a cell.
    struct Question {
        const Partitions& partitions;
        const Slice& slice;
        std::size_t cell, neuron, threshold;
    };
    // The answer: the letter at the left end, and what is added to the events.
    using Letter = std::optional<bool>;
    // How far a margin's coefficients on the cell are from the true ones, and its values at the
    // floats of the cell's ends from those at the true ends; at least as much. If these are the
    // coefficients on the true cell, `shift` is how far that is from the floats'. The neuron may be
    // known to vanish at the ends.
    struct Doubt {
        double everywhere, at_start, at_end;
        double shift = 0;
        bool zero_start = false, zero_end = false;
    };

    // What the filter leaves.
    bool settle(const Question& question, double alpha, std::vector<CurveEvent>& events);
    double settle_position(const Pattern& pattern, const Vertex& vertex) override;
    double threshold(const Question& question) const;
    Bernstein<double> margin(const Question& question) const;
    // >= |error| of its coefficients, from that of the pre-activation's.
    double margin_error(const Question& question, double error) const;
    Letter by_bounds(const Question& question, const Bernstein<double>& f, const Doubt& doubt,
                     std::vector<CurveEvent>& events) const;
    Letter by_bias(const Question& question);
    bool letter_of_bias(const Question& question);
    bool vanishes_at(const Question& question, bool start);
    Letter by_ends(const Question& question, Bernstein<double> f, double error, double slope,
                   std::vector<CurveEvent>& events);
    Letter by_adjoint(const Question& question, const Bernstein<double>& f,
                      std::vector<CurveEvent>& events);
    bool by_integers(const Question& question, std::vector<CurveEvent>& events);
    // >= |t - t*| of a vertex of a cell of partitions[level].
    double position_error(const Partitions& partitions, std::size_t level, std::size_t cell,
                          const Vertex& vertex);
    // Exactly where a vertex is, on a pattern next to it.
    Algebraic number(const Pattern& pattern, const Vertex& vertex);

    Pattern pattern_;
    std::vector<Root> roots_;
    std::vector<Word> negative_;
};

}  // namespace pyexpr
