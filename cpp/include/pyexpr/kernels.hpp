// The inner loops over a row of doubles, compiled for several instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pyexpr/bits.hpp"
#include "pyexpr/pair.hpp"

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

// y += c[0] x[0] + ... + c[3] x[3]
void add_four(const double* c, const double* const* x, double* y, std::size_t n);

// y += c x and z += d x
void axpy_twice(double c, double d, const double* x, double* y, double* z, std::size_t n);

// out = p + s slope
void move_along(const double* p, const double* slope, double s, double* out, std::size_t n);

// x . y
double dot(const double* x, const double* y, std::size_t n);

// Grows [least, most] by x - distance scale and x + distance scale (and underflow); false if these
// are not finite.
bool widen(const double* x, const double* scale, double distance, double* least, double* most,
           std::size_t n);

// out = x[index]
void gather(const double* x, const std::uint32_t* index, std::size_t n, double* out);

// out = min(max(x[index], low), high)
void gather_clamped(const double* x, const std::uint32_t* index, std::size_t n, double low,
                    double high, double* out);

// |x - ((1 - s) p + s q)|_2, not rounded up
double distance_to_chord(const double* x, const double* p, const double* q, double s,
                         std::size_t n);

// y += x
void add(const double* x, double* y, std::size_t n);

// (high, low) += (c_high + c_low) x with the rounding errors kept in low
void axpy_extended(double c_high, double c_low, const double* x, double* high, double* low,
                   std::size_t n);

// |z - threshold| decides where it exceeds scale absolute + |other - z| relative (+ underflow).
struct Margin {
    double absolute, relative;
};

// What the filter says of a row of n neurons, threshold by threshold ([thresholds, words] bits):
// `positive` where z - threshold is proved positive, `undecided` where nothing is proved.
struct FilteredRow {
    Word *positive, *undecided;
    double gap;  // becomes the smallest decided |z - threshold| / scale if that is smaller
    bool finite = true;   // false if a z is not
    bool decided = true;  // false if something is undecided
};

void filter_row(const double* z, const double* other, const double* scale, std::size_t n,
                std::span<const double> thresholds, const Margin& margin, FilteredRow& out);

// Bernstein coefficients of n neurons on a curve's cell, degree + 1 rows, and those of w.
struct CellRows {
    const double* rows;
    std::size_t width, degree;
    const double* weights;
};

// Whether z - threshold w is proved to have one sign on the cell: all its coefficients exceed
// scale absolute + |threshold| of_w (+ underflow). [thresholds, words] bits.
struct FilteredCell {
    Word *positive, *negative;
    double gap;  // becomes the smallest of these coefficients / scale if that is smaller
    bool finite = true;  // false if a coefficient is not
};

struct CellMargin {
    double absolute, of_w;
};

void filter_cell(const CellRows& cell, const double* scale, std::size_t n,
                 std::span<const double> thresholds, const CellMargin& margin, FilteredCell& out);

// The signs of z - threshold as they come: what the filter costs is measured against this.
void sign_row(const double* z, std::size_t n, std::span<const double> thresholds, FilteredRow& out);

}  // namespace pyexpr
