// Real algebraic numbers: roots of integer polynomials, compared exactly.
#pragma once

#include <vector>

#include "pyexpr/dyadic.hpp"
#include "pyexpr/polynomial.hpp"

namespace pyexpr {

// A root in [0, 1] of a square-free polynomial, with an interval that holds no other one and whose
// ends are no roots; or a dyadic number itself.
class Algebraic {
public:
    explicit Algebraic(const Dyadic& value) : low_(value), high_(value) {}
    // `f` in powers of the unknown.
    Algebraic(Polynomial<Integer> f, const Dyadic& low, const Dyadic& high);

    // The nearest float, ties to even.
    double nearest();

    // -1, 0, 1. Both intervals may shrink.
    friend int compare(Algebraic& a, Algebraic& b);
    // A number strictly between two, a < b, that is not a root of f.
    friend Dyadic between(Algebraic& a, Algebraic& b, const Polynomial<Integer>& f);

private:
    bool is_exact() const { return f_.empty(); }
    void halve();
    // Whether two numbers whose intervals meet are one.
    static bool same(const Algebraic& a, const Algebraic& b);

    Polynomial<Integer> f_;  // empty: the number is low_ = high_
    Dyadic low_, high_;
    int sign_ = 0;  // of f_ at low_
};

int compare(Algebraic& a, Algebraic& b);
Dyadic between(Algebraic& a, Algebraic& b, const Polynomial<Integer>& f);

// In powers of the unknown, from coefficients in the Bernstein basis on [0, 1].
Polynomial<Integer> to_powers(const Polynomial<Integer>& bernstein);

int sign_at(const Polynomial<Integer>& powers, const Dyadic& x);

// The roots in [0, 1] of odd multiplicity, in order; the polynomial, in powers, is not zero.
std::vector<Algebraic> odd_roots(const Polynomial<Integer>& powers);

}  // namespace pyexpr
