// The curve through input space along which a network is studied.
#pragma once

#include <vector>

namespace pyexpr {

// x(t) = x0 + t (x1 - x0), t in [0, 1], in real arithmetic.
struct Line {
    std::vector<double> x0, x1;
};

}  // namespace pyexpr
