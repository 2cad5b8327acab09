// Double-double numbers with a proved error.
#pragma once

#include <cmath>
#include <optional>

#include "pyexpr/rounding.hpp"

namespace pyexpr {

// high + low, the low part collecting what high cannot hold.
struct Pair {
    double high = 0, low = 0;
};

inline Pair two_sum(double x, double y) {
    const double sum = x + y, part = sum - x;
    return {sum, (x - (sum - part)) + (y - part)};
}

inline Pair two_product(double x, double y) {
    const double product = x * y;
    return {product, std::fma(x, y, -product)};
}

// Double-double arithmetic: a few times u^2 relative to the operands is lost.
inline Pair operator+(const Pair& x, const Pair& y) {
    const Pair sum = two_sum(x.high, y.high);
    return two_sum(sum.high, sum.low + (x.low + y.low));
}

inline Pair operator-(const Pair& x) { return {-x.high, -x.low}; }

inline Pair operator-(const Pair& x, const Pair& y) { return x + -y; }

inline Pair operator*(const Pair& x, const Pair& y) {
    const Pair product = two_product(x.high, y.high);
    return two_sum(product.high, product.low + (x.high * y.low + x.low * y.high));
}

inline Pair operator/(const Pair& x, const Pair& y) {
    const double quotient = x.high / y.high;
    const Pair rest = x - Pair{quotient, 0} * y;
    return two_sum(quotient, rest.high / y.high);
}

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

// sum += x y, where x = high + low; what is lost is of second order.
inline void add_product(Pair& sum, const Pair& x, double y) {
    const Pair product = two_product(x.high, y), total = two_sum(sum.high, product.high);
    sum.high = total.high;
    sum.low += total.low + (product.low + x.low * y);
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
