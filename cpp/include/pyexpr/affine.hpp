// Affine functions of the line's parameter, and the questions asked of them, over balls and over
// integers: certain_sign() is empty where the sign is not certain.
#pragma once

#include <optional>

#include "pyexpr/ball.hpp"
#include "pyexpr/dyadic.hpp"

namespace pyexpr {

// a + b t
template <class Number>
struct Affine {
    Number a{}, b{};
};

inline std::optional<int> operator*(std::optional<int> x, std::optional<int> y) {
    return x && y ? std::optional(*x * *y) : std::nullopt;
}

// sign(f(root of g)), where g's slope is not zero
template <class Number>
std::optional<int> sign_at_root(const Affine<Number>& f, const Affine<Number>& g) {
    return certain_sign(f.a * g.b - f.b * g.a) * certain_sign(g.b);
}

// sign(root of f - root of g), where neither slope is zero
template <class Number>
std::optional<int> compare_roots(const Affine<Number>& f, const Affine<Number>& g) {
    return sign_at_root(g, f) * certain_sign(g.b);
}

// About |f(root of g)| and |root of f - root of g|, in units of f's and of t.
template <class Number>
double size_at_root(const Affine<Number>& f, const Affine<Number>& g) {
    return magnitude_of_quotient(f.a * g.b - f.b * g.a, g.b);
}
template <class Number>
double root_distance(const Affine<Number>& f, const Affine<Number>& g) {
    return magnitude_of_quotient(f.a * g.b - f.b * g.a, f.b * g.b);
}

// A positive multiple of t - root.
template <class Number>
Affine<Number> vanishing_at(double root);

// The float nearest to f's root, where its slope is not zero.
std::optional<double> nearest_root(const Affine<Ball>& f);
std::optional<double> nearest_root(const Affine<Integer>& f);

}  // namespace pyexpr
