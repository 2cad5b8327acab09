// Double-double numbers with a proved error.
#pragma once

#include <cmath>
#include <optional>

#include "pyexpr/pair.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

// |high + low - value| <= radius, or nothing is known if anything is not finite.
struct Ball {
    double high = 0, low = 0, radius = 0;

    Ball() = default;
    explicit Ball(double value) : high(value) {}
    Ball(Pair sum, double radius) : radius(radius) {
        const Pair normal = two_sum(sum.high, sum.low);
        high = normal.high;
        low = normal.low;
    }
};

// What an operation on operands of this size may lose: a few roundings of low parts.
inline double extended_rounding(double size) {
    return 16 * unit_roundoff * unit_roundoff * size + underflow;
}

inline Ball operator+(const Ball& x, const Ball& y) {
    return {Pair{x.high, x.low} + Pair{y.high, y.low},
            up(x.radius + y.radius + extended_rounding(std::abs(x.high) + std::abs(y.high)))};
}

inline Ball operator-(const Ball& x, const Ball& y) {
    Ball negated = y;
    negated.high = -y.high;
    negated.low = -y.low;
    return x + negated;
}

inline Ball operator*(const Ball& x, const Ball& y) {
    const double a = std::abs(x.high) + x.radius, b = std::abs(y.high) + y.radius;
    return {Pair{x.high, x.low} * Pair{y.high, y.low},
            up(2 * (a * y.radius + b * x.radius) + extended_rounding(a * b))};
}

inline std::optional<int> certain_sign(const Ball& x) {
    if (std::abs(x.high) > up(std::abs(x.low) + x.radius)) return x.high > 0 ? 1 : -1;
    return std::nullopt;
}

// About |x / y|.
inline double magnitude_of_quotient(const Ball& x, const Ball& y) {
    return std::abs(x.high / y.high);
}

}  // namespace pyexpr
