// The inner loops over a row of doubles, compiled for several instruction sets.
#pragma once

#include <cstddef>

#include "pyexpr/ball.hpp"
#include "pyexpr/bits.hpp"

namespace pyexpr {

// >= |x|_2, also where squares overflow or underflow.
double norm_bound(const double* x, std::size_t n);

// out = p + s (q - p)
void lerp(const double* p, const double* q, double s, double* out, std::size_t n);

// out = p + s (q - p) + c x
void lerp_axpy(const double* p, const double* q, double s, double c, const double* x, double* out,
               std::size_t n);

// The same for rows in double-double, a high and a low row each.
void lerp_extended(const double* p, const double* p_low, const double* q, const double* q_low,
                   const Pair& s, double* out, double* out_low, std::size_t n);

// Makes high the nearest double to high + low, and low the rest.
void normalise(double* high, double* low, std::size_t n);

// y += c x
void axpy(double c, const double* x, double* y, std::size_t n);

// y += x
void add(const double* x, double* y, std::size_t n);

// (high, low) += (c_high + c_low) x with the rounding errors kept in low
void axpy_extended(double c_high, double c_low, const double* x, double* high, double* low,
                   std::size_t n);

// The sign of z - threshold where |z - threshold| exceeds its bound
// scale absolute + |other - z| relative (+ underflow), neuron by neuron: a bit in `positive` where
// it is proved positive, in `undecided` where nothing is proved. False if z is not finite.
bool filter_row(const double* z, const double* other, const double* scale, std::size_t n,
                double threshold, double absolute, double relative, Word* positive,
                Word* undecided);

}  // namespace pyexpr
