// The curve through input space along which a network is studied.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <variant>
#include <vector>

namespace pyexpr {

using Input = std::span<const double>;

// x(t) = x0 + t (x1 - x0), t in [0, 1], in real arithmetic.
struct Line {
    Input x0, x1;
    std::shared_ptr<const void> owner;  // of the numbers, unless these outlive the line anyway
};

// w(u) x(u) = sum_i B_i(u) X_i with w(u) = sum_i B_i(u) weights_i, where B_i are the Bernstein
// polynomials, X_i = sum_j mixing_ij points_j in real arithmetic, and u is in [start, end].
struct RationalBezier {
    std::vector<std::vector<double>> points;
    std::vector<double> mixing;   // [degree + 1, points]
    std::vector<double> weights;  // [degree + 1], positive
    double start = 0, end = 1;    // a part of [0, 1]

    std::size_t degree() const { return weights.size() - 1; }
    double mix(std::size_t i, std::size_t j) const { return mixing[i * points.size() + j]; }
};

using Piece = std::variant<Line, RationalBezier>;

// Pieces one after another, each beginning where the one before ends. If closed, the last one ends
// where the first begins.
struct Trajectory {
    std::vector<Piece> pieces;  // at least one
    bool closed = false;
};

}  // namespace pyexpr
