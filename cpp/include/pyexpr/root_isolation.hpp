// The real roots of a polynomial that is known up to an error, in float64.
#pragma once

#include <vector>

#include "pyexpr/bernstein.hpp"

namespace pyexpr {

// |s - true| <= error; in [low, high] the polynomial is monotone and has this root alone.
struct Root {
    double s, error, low, high;
};

// The roots in (0, 1), in order, of every polynomial whose Bernstein coefficients differ from these
// by at most `error`. All of them are simple. False where that is not certain, as where a sign at
// 0 or 1 is not.
bool isolate_roots(const Bernstein<double>& f, double error, std::vector<Root>& roots);

}  // namespace pyexpr
