// Exact numbers m 2^e: every float, and every sum and product of floats.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <optional>

namespace pyexpr {

using Integer = boost::multiprecision::number<boost::multiprecision::cpp_int_backend<>,
                                              boost::multiprecision::et_off>;

inline std::optional<int> certain_sign(const Integer& x) { return x.sign(); }

// About |x / y|.
double magnitude_of_quotient(const Integer& x, const Integer& y);

// value = mantissa 2^exponent with an odd (or zero) mantissa of at most 53 bits.
struct Float {
    explicit Float(double value);

    std::int64_t mantissa;
    int exponent;
};

struct Dyadic {
    Dyadic() = default;
    explicit Dyadic(double value);

    // The nearest double, ties to even; infinite on overflow.
    double to_double() const;

    Integer mantissa = 0;
    int exponent = 0;
};

Dyadic operator+(const Dyadic& a, const Dyadic& b);
Dyadic operator-(const Dyadic& a, const Dyadic& b);
Dyadic operator*(const Dyadic& a, const Dyadic& b);

// value 2^-exponent, which must be an integer.
Integer scaled(double value, int exponent);
Integer scaled(const Dyadic& value, int exponent);

}  // namespace pyexpr
