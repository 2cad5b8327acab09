// Float64 arithmetic that knows whether it has rounded. Where it has not, a float is its own proof:
// narrow networks with few bits, such as tent maps, are full of exact ties that nothing else but
// integers would settle.
#pragma once

#include <cmath>

#include "pyexpr/pair.hpp"

namespace pyexpr {

class Lossless {
public:
    // Whether every result so far is exact.
    bool exact() const { return exact_; }
    void require(bool holds) { exact_ = exact_ && holds; }

    double sum(double x, double y) { return keep(two_sum(x, y)); }
    double difference(double x, double y) { return keep(two_sum(x, -y)); }
    double product(double x, double y) {
        // The error of a tiny product may be too small to be seen.
        const Pair out = two_product(x, y);
        require(std::abs(out.high) > smallest || x == 0 || y == 0);
        return keep(out);
    }
    double quotient(double x, double y) {
        const double out = x / y;
        require(product(out, y) == x);
        return out;
    }

private:
    static constexpr double smallest = 0x1p-900;

    double keep(const Pair& out) {
        require(out.low == 0);  // which overflow makes no number
        return out.high;
    }

    bool exact_ = true;
};

}  // namespace pyexpr
