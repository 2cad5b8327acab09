// Polynomials in the Bernstein basis of an interval, of small degree: de Casteljau's algorithm and
// what follows from it. Any number that can be added, subtracted and multiplied will do.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>

namespace pyexpr {

inline constexpr std::size_t most_degree = 10;  // as kernels have it, and Python

template <class Number>
struct Bernstein {
    std::size_t degree = 0;
    std::array<Number, most_degree + 1> c{};

    Number& operator[](std::size_t i) { return c[i]; }
    const Number& operator[](std::size_t i) const { return c[i]; }
    const Number& last() const { return c[degree]; }
};

// The same polynomial on [0, s] and on [s, 1], where at_s(x, y) is s of the way from x to y.
template <class Number, class AtS>
    requires std::invocable<AtS, Number, Number>
void split(const Bernstein<Number>& f, AtS&& at_s, Bernstein<Number>& left,
           Bernstein<Number>& right) {
    const std::size_t d = f.degree;
    right = f;
    left.degree = d;
    left[0] = f[0];
    for (std::size_t r = 1; r <= d; ++r) {
        for (std::size_t i = 0; i + r <= d; ++i) right[i] = at_s(right[i], right[i + 1]);
        left[r] = right[0];
    }
}
template <class Number>
void split(const Bernstein<Number>& f, const Number& s, Bernstein<Number>& left,
           Bernstein<Number>& right) {
    split(f, [&](const Number& x, const Number& y) { return x + s * (y - x); }, left, right);
}

// On [a, b] within [0, 1], where s is b's place on [a, 1].
template <class Number>
Bernstein<Number> restrict_to(const Bernstein<Number>& f, const Number& a, const Number& s) {
    Bernstein<Number> left, right, inner, rest;
    split(f, a, left, right);
    split(right, s, inner, rest);
    return inner;
}

// >= what a polynomial on [0, 1] grows by beyond its ends, up to this distance: its coefficients
// there are sums with factors up to 1 + distance and distance.
inline double growth_beyond(double distance, std::size_t degree) {
    double growth = 1 + 0x1p-20;
    for (std::size_t i = 0; i < degree; ++i) growth *= 1 + 2 * distance;
    return growth;
}

// The value and the derivative at s.
template <class Number>
struct Jet {
    Number value, slope;
};

template <class Number>
Jet<Number> evaluate(Bernstein<Number> f, const Number& s, const Number& degree) {
    for (std::size_t n = f.degree; n > 1; --n)
        for (std::size_t i = 0; i < n; ++i) f[i] = f[i] + s * (f[i + 1] - f[i]);
    const Number step = f[1] - f[0];
    return {f[0] + s * step, degree * step};
}

}  // namespace pyexpr
