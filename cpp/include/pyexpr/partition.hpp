// The line cut into cells, one partition a level, and the letters of the neurons on each cell.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/ball.hpp"
#include "pyexpr/bernstein.hpp"
#include "pyexpr/bits.hpp"
#include "pyexpr/buffer.hpp"
#include "pyexpr/layers.hpp"

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
};

// Cells that are linear up to some level, in order. Cell c lies between vertices c and c + 1, on
// which `rows` holds the next level's pre-activations, times the curve's w where there is one: the
// coefficients of Bernstein polynomials on the cell, from row c degree to row (c + 1) degree, so
// that neighbours share a row. A line has degree 1, and a row for every vertex.
//
// Between vertices a row is interpolated. With z(t) the true pre-activations and h(t) the true
// outputs of the level before, on each cell and continued affinely from it to its ends' floats:
//   |h_computed - h|_2 <= eps,   |z_computed - z|_q <= row_norm_q (eps + rho),   |(h, 1)|_2 <= norm,
// where eps, rho and norm are the larger of the two ends' and z_computed counts the low parts of an
// extended partition. `local` is what of eps arose at the level itself, the rest is what errors of
// the level before became.
struct Partition {
    std::vector<Vertex> vertices;
    std::vector<double> eps, local, rho, norm;
    std::size_t width = 0;
    std::size_t degree = 1;
    Buffer rows;                     // [vertices, width]
    Buffer lows;                     // [vertices, width]: low parts; empty unless extended
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
    std::size_t first_row(std::size_t c) const { return c * degree; }
    double* row(std::size_t v) { return &rows[v * width]; }
    const double* row(std::size_t v) const { return &rows[v * width]; }
    double* low_row(std::size_t v) { return &lows[v * width]; }
    const double* low_row(std::size_t v) const { return &lows[v * width]; }
    // Row v at neuron q to twice the precision, where it is known.
    Pair entry(std::size_t v, std::size_t q) const {
        return {row(v)[q], extended() ? low_row(v)[q] : 0};
    }
    bool extended() const { return !lows.empty(); }
    Word* letter_row(std::size_t c) { return letters.data() + c * letter_words; }
    const Word* letter_row(std::size_t c) const { return letters.data() + c * letter_words; }
    // |row - z|_q <= row_norm_q alpha, of the high part alone.
    double alpha(std::size_t v) const { return eps[v] + high_rho(v); }
    // rho of the high part alone.
    double high_rho(std::size_t v) const {
        return rho[v] + (extended() ? 2 * unit_roundoff * norm[v] : 0);
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
};

// partitions[l + 1] is the partition after level l; partitions[0] is the whole line.
using Partitions = std::vector<Partition>;

// The cells first .. last - 1 of partitions[level], with their vertices first .. last.
struct Slice {
    std::size_t level, first, last;
    std::size_t cells() const { return last - first; }
};

// The letters of levels 0 .. level - 1 on a cell of partitions[level].
void gather_pattern(const Partitions& partitions, std::size_t level, std::size_t cell,
                    Pattern& out);

}  // namespace pyexpr
