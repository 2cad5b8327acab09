#include "pyexpr/affine.hpp"

#include <cmath>

namespace pyexpr {
namespace {

Ball operator-(const Ball& x) { return Ball(0.0) - x; }

}  // namespace

template <>
Affine<Ball> vanishing_at(double root) {
    return {Ball(-root), Ball(1.0)};
}

template <>
Affine<Integer> vanishing_at(double root) {
    const Float x(root);
    if (x.exponent >= 0) return {-(Integer(x.mantissa) << x.exponent), 1};
    return {-x.mantissa, Integer(1) << -x.exponent};
}

// A quotient in double-double, and how far it is off by its residual; certain where the whole ball
// rounds to one float.
std::optional<double> nearest_root(const Affine<Ball>& f) {
    const double high = -f.a.high / f.b.high;
    const double low = (-f.a - Ball(high) * f.b).high / f.b.high;
    const Ball root({high, low}, 0);
    const Ball residual = -f.a - root * f.b;
    const double least = std::abs(f.b.high) * (1 - 0x1p-20) - f.b.radius;
    if (!(least > 0)) return std::nullopt;
    const double off = (std::abs(residual.high) * (1 + 0x1p-20) + residual.radius) / least;
    const double margin = up(off + std::abs(root.low) * 0x1p-40 + underflow);
    if (root.high + (root.low + margin) == root.high &&
        root.high + (root.low - margin) == root.high)
        return root.high;
    return std::nullopt;
}

std::optional<double> nearest_root(const Affine<Integer>& f) {
    if (f.a == 0) return 0.0;
    const bool negative = (f.a < 0) == (f.b < 0);
    const Integer a = abs(f.a), b = abs(f.b);
    // 64 bits of the quotient and whether anything is left.
    const int shift = std::max(0, 64 - (static_cast<int>(msb(a)) - static_cast<int>(msb(b))));
    Integer quotient, rest;
    divide_qr(Integer(a << shift), b, quotient, rest);
    Dyadic root;
    root.mantissa = (quotient << 1) + (rest == 0 ? 0 : 1);
    root.exponent = -shift - 1;
    return negative ? -root.to_double() : root.to_double();
}

}  // namespace pyexpr
