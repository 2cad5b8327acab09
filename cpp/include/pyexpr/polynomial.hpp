// The functions of a curve's parameter that pre-activations are on one cell.
#pragma once

#include <algorithm>
#include <vector>

namespace pyexpr {

// Coefficients: of 1 and t along a line; along a rational Bezier curve of the Bernstein polynomials
// on [0, 1].
template <class Number>
using Polynomial = std::vector<Number>;

template <class Number>
bool is_zero(const Polynomial<Number>& f) {
    return std::all_of(f.begin(), f.end(), [](const Number& c) { return c == 0; });
}

}  // namespace pyexpr
