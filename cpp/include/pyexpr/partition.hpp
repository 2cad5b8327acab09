// The line cut into cells, one partition a level, and the letters of the neurons on each cell.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "pyexpr/bernstein.hpp"
#include "pyexpr/bits.hpp"
#include "pyexpr/buffer.hpp"
#include "pyexpr/layers.hpp"
#include "pyexpr/pair.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

// A cell's end. `t` is the float that stands for the true breakpoint, |t - true| <= tau.
// The true one is where `neuron` of level `level` meets threshold `threshold`, or, for
// level == given, t itself. On a curve it may do so at several t: the true one is the only odd root
// in [low, high], or, for root >= 0, number `root` of those in [0, 1].
struct Vertex {
    static constexpr std::int32_t given = -1;

    double t = 0;
    double tau = 0;
    std::int32_t level = given;
    std::int32_t neuron = 0;
    std::int32_t threshold = 0;
    std::int32_t root = -1;
    double low = 0, high = 0;
    std::uint32_t piece = 0;  // of the trajectory
};

// Cells that are linear up to some level, in order. Cell c lies between vertices c and c + 1, on
// which `rows` holds the next level's pre-activations, times the curve's w where there is one: the
// coefficients of Bernstein polynomials on the cell, from row c degree to row (c + 1) degree, so
// that neighbours share a row. A line has degree 1, and a row for every vertex.
//
// Between vertices a row is interpolated. With z(t) the true pre-activations and h(t) the true
// outputs of the level before, on each cell and continued affinely from it to its ends' floats:
//   |h_computed - h|_2 <= eps,   |z_computed - z|_q <= row_norm_q (eps + rho),
//   |(h_computed, 1)|_2 <= norm,
// where eps, rho and norm are the larger of the two ends' and z_computed counts the low parts of an
// extended partition. `local` is what of eps arose at the level itself, the rest is what errors of
// the level before became.
//
// Neurons that are proved to have one letter on all cells need no place in the rows: a line's
// partition may hold those of the others alone.
//
// Where two neighbouring vertices are of different pieces, what lies between them is a gap: a cell
// in name only, with no events and no meaning.
struct Partition {
    std::vector<Vertex> vertices;
    std::vector<double> eps, local, rho, norm;
    std::size_t width = 0;           // of a row
    std::size_t degree = 1;
    Buffer rows;                     // [vertices, width]
    Buffer lows;                     // [vertices, width]: low parts; empty unless extended
    std::vector<std::uint32_t> order;  // [vertices]: the number of its row; empty: its own
    bool partial = false;              // if so:
    std::vector<std::uint32_t> kept;   // [width]: which entries the rows hold, ascending
    std::vector<std::uint32_t> place;  // [entries]: where in a row, of those
    std::vector<double> scale;         // [width]: their row norms
    std::vector<Word> known;           // [letter words of the next level]: of the others
    std::vector<std::uint32_t>
        live;   // neurons of the level before that are not constant, ascending
    std::size_t letter_words = 0;    // words a cell: thresholds x words of a row
    std::vector<Word> letters;       // [cells, letter_words]
    std::vector<std::uint32_t> parent;  // [cells]: the cell of the previous level's partition
    double speed = 0;                // >= |dh/dt|_2 on every cell of a line
    // On curves: >= |d(w h, w)/du|_2 on each cell and between its true ends and their floats; the
    // coefficients of w, a row each; and those of w on [0, 1], with a bound on |dw/du|.
    std::vector<double> speeds, weights;
    Bernstein<double> w;
    double w_speed = 0;

    std::size_t cells() const { return parent.size(); }
    bool is_gap(std::size_t c) const { return vertices[c].piece != vertices[c + 1].piece; }
    std::size_t first_row(std::size_t c) const { return c * degree; }
    double* row(std::size_t v) { return rows.data() + start_of_row(v); }
    const double* row(std::size_t v) const { return rows.data() + start_of_row(v); }
    double* low_row(std::size_t v) { return lows.data() + start_of_row(v); }
    const double* low_row(std::size_t v) const { return lows.data() + start_of_row(v); }
    // Of an entry that the rows hold.
    std::size_t place_of(std::size_t q) const { return partial ? place[q] : q; }
    double value(std::size_t v, std::size_t q) const { return row(v)[place_of(q)]; }
    // To twice the precision, where it is known.
    Pair entry(std::size_t v, std::size_t q) const {
        return {value(v, q), extended() ? low_row(v)[q] : 0};
    }
    bool extended() const { return !lows.empty(); }
    Word* letter_row(std::size_t c) { return letters.data() + c * letter_words; }
    const Word* letter_row(std::size_t c) const { return letters.data() + c * letter_words; }
    // Whether the row is what the network gives at the vertex's float; low parts are zero then.
    bool is_exact(std::size_t v) const { return eps[v] == 0 && rho[v] == 0; }
    // |row - z|_q <= row_norm_q alpha, of the high part alone.
    double alpha(std::size_t v) const { return eps[v] + high_rho(v); }
    // rho of the high part alone.
    double high_rho(std::size_t v) const {
        return rho[v] + (extended() && !is_exact(v) ? 2 * unit_roundoff * norm[v] : 0);
    }
    // The largest of a cell's rows.
    double largest(const std::vector<double>& bound, std::size_t c) const {
        const auto first = bound.begin() + static_cast<std::ptrdiff_t>(first_row(c));
        return *std::max_element(first, first + static_cast<std::ptrdiff_t>(degree) + 1);
    }
    // Of the high part alone.
    double largest_rho(std::size_t c) const {
        double out = 0;
        for (std::size_t r = first_row(c); r <= first_row(c + 1); ++r)
            out = std::max(out, high_rho(r));
        return out;
    }
    double length(std::size_t c) const { return vertices[c + 1].t - vertices[c].t; }

    // z - theta w of a neuron on a cell, and the largest |z| + |theta| w of its coefficients.
    Bernstein<double> margin(std::size_t c, std::size_t neuron, double theta) const;
    double margin_size(std::size_t c, std::size_t neuron, double theta) const;

    void clear();

private:
    std::size_t start_of_row(std::size_t v) const { return (order.empty() ? v : order[v]) * width; }
};

// The partitions that lead to some cells: [l + 1] is that after level l, [0] some whole pieces. Copies
// share them, so that whoever works on cells keeps what these come from.
class Partitions {
public:
    const Partition& operator[](std::size_t l) const { return *levels_[l]; }
    void resize(std::size_t levels) { levels_.resize(levels); }
    // One to be filled, which no copy shares.
    Partition& renew(std::size_t l);
    void add(std::shared_ptr<Partition> level) { levels_.push_back(std::move(level)); }
    // Those up to a level.
    Partitions up_to(std::size_t level) const;
    std::size_t bytes() const;  // of the rows, which are nearly all of it

private:
    std::vector<std::shared_ptr<Partition>> levels_;
};

// The cells first .. last - 1 of partitions[level], with their vertices first .. last.
struct Slice {
    std::size_t level, first, last;
    std::size_t cells() const { return last - first; }
};

// The letters of levels 0 .. level - 1 on a cell of partitions[level].
void gather_pattern(const Partitions& partitions, std::size_t level, std::size_t cell,
                    Pattern& out);

}  // namespace pyexpr
