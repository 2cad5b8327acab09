// The next level's pre-activations on a run of cells cut at their events: one GEMM at the old
// vertices, a rank-one update at each new one, and the error bounds of both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pyexpr/events.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/predicates.hpp"
#include "pyexpr/screening.hpp"

namespace pyexpr {

// Room for one matrix product, shared by all levels.
struct Scratch {
    Buffer hidden;      // [vertices, active]
    Buffer weights;     // [active, width], or an image's patches
    Buffer references;  // [references, active], then [references, neurons]
    double gemm_flops = 0;
};

// What is made of the next level's pre-activations.
enum class Rows { none, plain, extended };

struct Wanted {
    Rows rows;
    bool bounds;    // whether their errors are bounded
    // Of an error in the level's inputs, or in its outputs, up to the last level.
    double growth, growth_of_outputs;
    Screen screen;  // which neurons need no place in the rows
};

// Neurons that are not constant where their letters pass thresholds sometimes and always
// ([letter words]), and entries that pass, ascending.
void find_active(const Level& level, const Word* sometimes, const Word* always,
                 std::vector<std::uint32_t>& out);

// constant = b plus what the neurons that are not active add, compensated by `low` if that is
// given; >= |their outputs|_2.
double fold_constants(const Level& level, const AffineMap& next, const Word* letters,
                      const std::vector<std::uint32_t>& active, std::vector<double>& constant,
                      std::vector<double>* low);

// y [rows, outputs] = W h, for what is active in scratch.hidden: one after another for a single
// matrix, else each at its own place.
void multiply_active(const AffineMap& map, const std::vector<std::uint32_t>& active,
                     std::size_t rows, Scratch& scratch, double* y);

class Refinement {
public:
    // With Rows::none only vertices and letters are made.
    void prepare(const Network& network, const Partition& from, const Slice& slice,
                 const Events& events, const Wanted& wanted, Scratch& scratch);

    // Makes `out` of the slice's cells first .. last - 1, cut at their points.
    void make(Partition& out, std::size_t first, std::size_t last);

private:
    std::size_t vertices() const { return last_ - first_ + 1; }
    // In the partition before, of the run's vertex v.
    std::size_t at(std::size_t v) const { return slice_.first + first_ + v; }
    void add_vertices(Partition& out);
    Word* add_letters(Word* letters, std::size_t words, const Point& point) const;
    std::size_t first_letters() const {
        return first_ * level_->activation.thresholds() * level_->activation.words();
    }
    void find_active();
    void bound_gains();
    double block_norm() const;
    void multiply(Partition& out);
    void multiply_dense(const Dense& dense, Partition& out);
    void multiply_extended(Partition& out);
    bool find_references();
    void screen(Partition& out);
    double distance_from_chord(std::size_t first, std::size_t last);
    double largest_kinks(std::size_t cell) const;
    void gather_columns(const Partition& out);
    const double* column(std::size_t neuron, const Partition& out) const;
    void activate(const double* z, double* out) const;
    Pair activate(const Pair& z, std::size_t q) const;
    void bound_old_rows(Partition& out) const;
    void make_exact(Partition& out);
    double multiply_exactly(const double* z, Partition& out, std::size_t row);
    bool cut_exactly(Partition& out, std::size_t cell);
    void cut(Partition& out, std::size_t cell);
    void interpolate(Partition& out, std::size_t cell, std::size_t first, std::size_t begin,
                     std::size_t end, const Pair& from, const Pair& to);
    // A new vertex `s` of the way between two others; how much of the cell lies before each of
    // them; and where their rows are.
    struct Span {
        Pair from, to, at;
        Pair s;
    };
    struct Ends {
        std::size_t first, last, middle;
        double norm;  // >= |(h, 1)|_2 at first and last
    };
    // What the events add to the chord: >= |kinks| as outputs of the level, and what is lost.
    struct Kinks {
        double norm, rounding;
    };
    Kinks bound_sweep(const Partition& out, std::size_t cell) const;
    void sweep(Partition& out, std::size_t cell, const Kinks& kinks);
    template <class Real>
    Real kink(std::size_t cell, const Event& event, const Span& span) const;
    Kinks add_kinks(Partition& out, std::size_t cell, std::span<const Event> events,
                    const Span& span, const Ends& at) const;
    Kinks add_kinks_extended(Partition& out, std::size_t cell, std::span<const Event> events,
                             const Span& span, const Ends& at) const;
    double root_of_sum(double squares) const;

    const Level* level_ = nullptr;
    const AffineMap* next_ = nullptr;
    const Activation* after_ = nullptr;  // of the next level; none before the output
    const Partition* from_ = nullptr;
    const Events* events_ = nullptr;
    Scratch* scratch_ = nullptr;
    Slice slice_{};
    Wanted wanted_{};
    std::size_t first_ = 0, last_ = 0;  // the run's cells, by their number in the slice

    std::vector<std::uint32_t> active_;   // neurons that are not constant on the run, ascending
    std::vector<std::uint32_t> inputs_;   // [active]: where in the rows before
    std::vector<std::uint32_t> number_;   // [entries]: which of the active it is
    std::vector<double> active_norms_;    // [active]: their row norms
    std::vector<Word> sometimes_, always_;  // [letter words]: thresholds passed on the run
    std::vector<double> constant_, constant_low_;  // b plus what the inactive neurons add
    double constant_norm_ = 0;  // >= |inactive outputs|_2
    bool gathered_ = false;  // whether the columns are in scratch
    std::vector<const double*> columns_;  // [active + 1]; the last is the constant
    std::vector<std::size_t> vertex_;     // [old vertices]: their numbers in the new partition
    std::vector<double> inherited_, fresh_;  // [old vertices]: eps from eps and rho, and new
    std::vector<double> rho_, norm_;         // [old vertices]
    double speed_ = 0;
    std::vector<double> exact_z_, exact_hidden_, exact_row_;  // of one vertex
    std::vector<double> start_, slope_;      // [width]: of a cell's piece
    Screening screening_;
    std::vector<std::size_t> references_;  // old vertices
    std::vector<double> from_chord_;       // [vertices] between two references
    std::vector<double> distances_;        // between two of them: see distance_from_chord()
};

}  // namespace pyexpr
