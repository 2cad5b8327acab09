// Double-double arithmetic.
#pragma once

#include "pyexpr/portable.hpp"

namespace pyexpr {

// high + low, the low part collecting what high cannot hold.
struct Pair {
    double high = 0, low = 0;
};

PYEXPR_ANYWHERE inline Pair two_sum(double x, double y) {
    const double sum = x + y, part = sum - x;
    return {sum, (x - (sum - part)) + (y - part)};
}

PYEXPR_ANYWHERE inline Pair two_product(double x, double y) {
    const double product = x * y;
    return {product, ::fma(x, y, -product)};
}

// A few times u^2 relative to the operands is lost.
PYEXPR_ANYWHERE inline Pair operator+(const Pair& x, const Pair& y) {
    const Pair sum = two_sum(x.high, y.high);
    return two_sum(sum.high, sum.low + (x.low + y.low));
}

PYEXPR_ANYWHERE inline Pair operator-(const Pair& x) { return {-x.high, -x.low}; }

PYEXPR_ANYWHERE inline Pair operator-(const Pair& x, const Pair& y) { return x + -y; }

PYEXPR_ANYWHERE inline Pair operator*(const Pair& x, const Pair& y) {
    const Pair product = two_product(x.high, y.high);
    return two_sum(product.high, product.low + (x.high * y.low + x.low * y.high));
}

PYEXPR_ANYWHERE inline Pair operator/(const Pair& x, const Pair& y) {
    const double quotient = x.high / y.high;
    const Pair rest = x - Pair{quotient, 0} * y;
    return two_sum(quotient, rest.high / y.high);
}

// sum += x y, where x = high + low; what is lost is of second order.
PYEXPR_ANYWHERE inline void add_product(Pair& sum, const Pair& x, double y) {
    const Pair product = two_product(x.high, y), total = two_sum(sum.high, product.high);
    sum.high = total.high;
    sum.low += total.low + (product.low + x.low * y);
}

}  // namespace pyexpr
