// The next level's pre-activations on a slice of cells cut at their events: one GEMM at the old
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

namespace pyexpr {

// Room for one matrix product, shared by all levels.
struct Scratch {
    Buffer hidden;   // [vertices, active]
    Buffer weights;  // [active, width], or an image's patches
    double gemm_flops = 0;
};

// What is made of the next level's pre-activations.
enum class Rows { none, plain, extended };

struct Wanted {
    Rows rows;
    bool bounds;    // whether their errors are bounded
    double growth;  // of an error in the level's inputs up to the last level
};

// Neurons that are not constant where their letters pass thresholds sometimes and always
// ([letter words]), and entries that pass, ascending.
void find_active(const Level& level, const Word* sometimes, const Word* always,
                 std::vector<std::uint32_t>& out);

// (constant, low) = b plus what the neurons that are not active add; >= |their outputs|_2.
double fold_constants(const Level& level, const AffineMap& next, const Word* letters,
                      const std::vector<std::uint32_t>& active, std::vector<double>& constant,
                      std::vector<double>& low);

// y [rows, outputs] = W h, for what is active in scratch.hidden: one after another for a single
// matrix, else each at its own place.
void multiply_active(const AffineMap& map, const std::vector<std::uint32_t>& active,
                     std::size_t rows, Scratch& scratch, double* y);

class Refinement {
public:
    // Multiplies the old vertices; `live` are the neurons of the level before that were active in
    // the slice's own refinement. With Rows::none only vertices and letters are made.
    void prepare(const Network& network, const Partition& from, const Slice& slice,
                 const Events& events, const std::vector<std::uint32_t>& live, const Wanted& wanted,
                 Scratch& scratch);

    // Starts `out` with the left end of a cell, given by its number in the slice.
    // `vertices`: how many to make room for.
    void begin(Partition& out, std::size_t cell, std::size_t vertices);
    // Appends the cell, cut at its points.
    void append(Partition& out, std::size_t cell);

    // Neurons that are not constant on the slice, ascending.
    const std::vector<std::uint32_t>& active() const { return active_; }
    // Doubles that its matrices hold room for.
    std::size_t room() const { return rows_.capacity() + lows_.capacity(); }

private:
    void find_active();
    void fold_constants();
    void multiply(Scratch& scratch);
    void multiply_extended(Scratch& scratch);
    void bound_gains(const std::vector<std::uint32_t>& live);
    double block_norm(const std::vector<std::uint32_t>& live) const;
    void activate(const double* z, double* out, bool in_place) const;
    Pair activate(const Pair& z, std::size_t q) const;
    void add_old_vertex(Partition& out, std::size_t vertex);
    void add_letters(Partition& out, std::size_t cell);
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
    template <class Real>
    Real kink(std::size_t cell, const Event& event, const Span& span) const;
    Kinks add_kinks(Partition& out, std::size_t cell, std::span<const Event> events,
                    const Span& span, const Ends& at) const;
    Kinks add_many_kinks(Partition& out, std::size_t cell, std::span<const Event> events,
                         const Span& span, const Ends& at);
    Kinks add_kinks_extended(Partition& out, std::size_t cell, std::span<const Event> events,
                             const Span& span, const Ends& at) const;
    Kinks add_compensated(std::size_t cell, std::span<const Event> events, const Span& span,
                          double chord, double* row, double* low) const;
    double root_of_sum(double squares) const;

    const Level* level_ = nullptr;
    const AffineMap* next_ = nullptr;
    const Partition* from_ = nullptr;
    const Events* events_ = nullptr;
    Slice slice_{};
    Wanted wanted_{};

    std::vector<std::uint32_t> active_;
    std::vector<double> active_norms_;             // [active]: their row norms
    std::vector<Word> sometimes_, always_;  // [letter words]: thresholds passed on the slice
    std::vector<double> constant_, constant_low_;  // b plus what the inactive neurons add
    double constant_norm_ = 0;  // >= |inactive outputs|_2
    Buffer rows_, lows_;  // [vertices, width]; lows for extended rows
    std::vector<double> inherited_, fresh_;  // [vertices]: eps from eps and rho, and new
    std::vector<double> rho_, norm_;         // [vertices]
    double speed_ = 0;
    std::vector<double> low_;     // [width]: low parts of a row
};

}  // namespace pyexpr
