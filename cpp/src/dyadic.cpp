#include "pyexpr/dyadic.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace pyexpr {

double magnitude_of_quotient(const Integer& x, const Integer& y) {
    if (x == 0) return 0;
    if (y == 0) return std::numeric_limits<double>::infinity();
    // Both to 64 bits, so that neither overflows.
    const auto leading = [](const Integer& n) {
        const int drop = std::max(0, static_cast<int>(msb(abs(n))) - 63);
        return std::pair(Integer(abs(n) >> drop).convert_to<double>(), drop);
    };
    const auto [numerator, up] = leading(x);
    const auto [denominator, down] = leading(y);
    return std::scalbn(numerator / denominator, up - down);
}

Float::Float(double value) : mantissa(0), exponent(0) {
    if (value == 0) return;
    int e = 0;
    mantissa = static_cast<std::int64_t>(std::scalbn(std::frexp(value, &e), 53));
    const int zeros = std::countr_zero(static_cast<std::uint64_t>(mantissa));
    mantissa >>= zeros;
    exponent = e - 53 + zeros;
}

Dyadic::Dyadic(double value) {
    const Float f(value);
    mantissa = f.mantissa;
    exponent = f.exponent;
}

double Dyadic::to_double() const {
    if (mantissa == 0) return 0;
    const bool negative = mantissa < 0;
    Integer m = abs(mantissa);
    int e = exponent;
    const int bits = static_cast<int>(msb(m)) + 1;
    // Keep 53 bits, fewer among the denormals, and round to nearest even by hand.
    const int drop = std::max(bits - 53, -1074 - e);
    if (drop > 0) {
        const Integer unit = Integer(1) << drop;
        Integer rest = m & (unit - 1);
        m >>= drop;
        e += drop;
        const int half = Integer(rest << 1).compare(unit);
        if (half > 0 || (half == 0 && (m & 1) != 0)) ++m;
    }
    const double magnitude = std::scalbn(m.convert_to<double>(), e);
    return negative ? -magnitude : magnitude;
}

namespace {

template <class Combine>
Dyadic aligned(const Dyadic& a, const Dyadic& b, Combine&& combine) {
    Dyadic out;
    out.exponent = std::min(a.exponent, b.exponent);
    out.mantissa = combine(Integer(a.mantissa << (a.exponent - out.exponent)),
                           Integer(b.mantissa << (b.exponent - out.exponent)));
    return out;
}

}  // namespace

Dyadic operator+(const Dyadic& a, const Dyadic& b) {
    return aligned(a, b, [](Integer x, const Integer& y) { return Integer(x + y); });
}

Dyadic operator-(const Dyadic& a, const Dyadic& b) {
    return aligned(a, b, [](Integer x, const Integer& y) { return Integer(x - y); });
}

Dyadic operator*(const Dyadic& a, const Dyadic& b) {
    Dyadic out;
    out.mantissa = a.mantissa * b.mantissa;
    out.exponent = a.exponent + b.exponent;
    return out;
}

Integer scaled(const Dyadic& value, int exponent) {
    if (value.mantissa == 0) return 0;
    const int shift = value.exponent - exponent;
    return shift >= 0 ? Integer(value.mantissa << shift) : Integer(value.mantissa >> -shift);
}

Integer scaled(double value, int exponent) { return scaled(Dyadic(value), exponent); }

}  // namespace pyexpr
