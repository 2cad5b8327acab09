// The next level's pre-activations on a slice of a curve's cells cut at their events: one GEMM for
// the coefficients on the old cells, whose letters are those at a cell's left end, and for every
// event a multiple of its neuron's column; then de Casteljau's cuts. With the error bounds of all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/bernstein.hpp"
#include "pyexpr/curve_events.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/refinement.hpp"

namespace pyexpr {

// The coefficients of w on one part after another, each to the nearest float or its neighbour.
class WeightCutter {
public:
    // `w` is given on [0, 1].
    WeightCutter(const Bernstein<double>& w, double start);
    Bernstein<double> up_to(double stop);

private:
    Bernstein<Pair> rest_;  // from start_ to 1
    double start_;
    bool even_;
};

class CurveRefinement {
public:
    // As Refinement does, but without the norms of blocks.
    void prepare(const Network& network, const Partition& from, const Slice& slice,
                 const CurveEvents& events, const Wanted& wanted, Scratch& scratch);
    void make(Partition& out, std::size_t first, std::size_t last);

    std::size_t room() const { return rows_.capacity() + spans_.capacity(); }

private:
    // The cell's part between two of its vertices, whose coefficients are row block `depth` of
    // spans_, and the points inside.
    struct Span {
        double start, end;
        std::size_t begin_point, end_point, depth;
    };

    // What an event adds to the next level, but for its neuron's column: on the cell, and the largest
    // of its coefficients and of what they were made of.
    struct Kink {
        std::size_t neuron;
        Bernstein<double> f;
        double norm, size;
    };

    // Of a sum of columns.
    struct Term {
        std::size_t neuron;
        double factor;
    };

    std::size_t rows() const { return slice_.cells() * from_->degree + 1; }
    void begin(Partition& out, std::size_t cell, std::size_t vertices);
    void append(Partition& out, std::size_t cell);
    void find_active();
    void fold_constants();
    void fill_hidden(std::size_t row, std::size_t count, const Word* letters, double* out,
                     std::size_t width);
    void multiply(Scratch& scratch);
    void bound_gains();
    double speed(std::size_t cell);
    void find_kinks(std::size_t cell);
    void add_kinks(std::size_t cell, std::size_t begin_point, std::size_t end_point,
                   const Span& span);
    void add_terms(double* row);
    void cut(Partition& out, std::size_t cell, const Span& span, std::size_t& next);
    void add_row(Partition& out, std::size_t row);
    void bound_cut_cell(Partition& out, std::size_t cell, std::size_t first_row);
    double* span_row(std::size_t depth, std::size_t i) {
        return &spans_[(depth * (from_->degree + 1) + i) * next_->outputs()];
    }

    const Level* level_ = nullptr;
    const AffineMap* next_ = nullptr;
    const Partition* from_ = nullptr;
    const CurveEvents* events_ = nullptr;
    Slice slice_{};
    Wanted wanted_{};

    std::vector<std::uint32_t> active_;
    std::vector<double> active_norms_;        // [active]: their row norms
    std::vector<Word> sometimes_, always_;    // [letter words]: thresholds passed on the slice
    std::vector<double> constant_;            // b plus what the inactive neurons add, by w
    double constant_norm_ = 0;                // >= |inactive outputs|_2, by w
    std::vector<double> slopes_, offsets_, steps_;    // [active]: on one cell
    std::vector<Term> terms_;                 // of one sum
    std::vector<double> low_;                 // [width]: low parts of a row
    std::vector<Kink> kinks_;                 // of one cell
    Buffer rows_;                             // [rows, width]: on the old cells
    Buffer spans_;                            // [depth, degree + 1, width]
    std::vector<double> inherited_, fresh_;   // [rows]: eps from eps and rho, and new
    std::vector<double> rho_, norm_;          // [rows]
    double gain_ = 0, offset_gain_ = 0;  // how the level turns speeds, and that of w
};

}  // namespace pyexpr
