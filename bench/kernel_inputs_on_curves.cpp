#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernel_inputs.hpp"

namespace pyexpr::bench {
namespace {

using cuda::f64;
using cuda::i64;
using cuda::u64;
using Doubles = std::vector<f64>;

constexpr i64 degree = curve_degree;

// Of cells with ends at these t.
Doubles weights_at(const Doubles& w, const Doubles& t) {
    const i64 cells = ssize(t) - 1;
    Doubles out = some<f64>(cells * degree + 1);
    for (i64 c = 0; c < cells; ++c)
        cuda::cut_weights(c, cells, degree, w.data(), t.data(), out.data());
    return out;
}

}  // namespace

// Neurons go up and down between the cells, and a little inside each. Now and then two vertices are at
// one t, and a row is known badly.
void Inputs::make_curve() {
    Curve& at = curve_;
    at.t = uniform(vertices_, 0, 1);
    std::sort(at.t.begin(), at.t.end());
    at.t.front() = 0;
    at.t.back() = 1;
    for (i64 v = 49; v < cells_; v += 50) at.t[v] = at.t[v - 1];
    at.tau = uniform(vertices_, 0, 1e-12);
    for (i64 v = 0; v < vertices_; v += 7) at.tau[v] = 0;
    at.w = uniform(degree + 1, 0.5, 2);
    at.weights = weights_at(at.w, at.t);

    const i64 count = ssize(at.weights);
    const Doubles phase = uniform(entries_, 0, 6), bend = uniform(count * entries_, -0.2, 0.2);
    for (i64 r = 0; r < count; ++r)
        for (i64 q = 0; q < entries_; ++q) {
            const f64 inside = r % degree ? bend[r * entries_ + q] : 0;
            at.rows.push_back(at.weights[r] *
                              (2 * std::sin(6 * at.t[r / degree] + phase[q]) + inside));
        }
    at.eps = uniform(count, 0, 1e-14);
    at.rho = uniform(count, 0, 1e-14);
    at.norm = uniform(count, 1, 10);
    at.alpha = uniform(count, 0, 1e-13);
    for (i64 r = 0; r < count; r += 20 * degree) at.eps[r] = at.alpha[r] = 1e-3;
    at.speeds = uniform(cells_, 1, 100);
}

void Inputs::find_candidates() {
    Curve& at = curve_;
    const i64 words = cells_ * row_, count = ssize(thresholds_);
    for (Doubles* bound : {&at.cell_alpha, &at.cell_norm, &at.absolute, &at.of_w})
        *bound = some<f64>(cells_);
    for (i64 c = 0; c < cells_; ++c)
        cuda::cell_margins(c, degree, at.tau.data(), at.speeds.data(), at.eps.data(), at.rho.data(),
                           at.norm.data(), at.cell_alpha.data(), at.cell_norm.data(),
                           at.absolute.data(), at.of_w.data());
    at.left = at.unsure = at.crossing = some<u64>(words);
    at.first = some<i64>(words);
    Integers counts = at.first;
    Doubles gap = some<f64>(words);
    i64 total = 0;
    for (i64 i = 0; i < words; ++i) {
        cuda::cell_signs(i, degree, at.rows.data(), entries_, width_, count, thresholds_.data(),
                         at.weights.data(), scale_.data(), at.cell_norm.data(), at.absolute.data(),
                         at.of_w.data(), at.left.data(), at.unsure.data(), counts.data(),
                         gap.data());
        at.first[i] = total;
        total += counts[i];
    }
    at.cell = at.neuron = at.threshold = some<i64>(total);
    for (i64 i = 0; i < words; ++i)
        cuda::list_candidates(i, at.unsure.data(), at.first.data(), words_, count, at.cell.data(),
                              at.neuron.data(), at.threshold.data());
    std::uniform_int_distribution<i64> draw(0, degree);
    for (i64 e = 0; e < total; ++e) {
        at.roots.push_back(draw(rng_));
        at.letter.push_back(static_cast<cuda::Byte>(draw(rng_) % 2));
    }
    for (i64 i = 0; i < words; ++i)
        cuda::add_letters(i, at.unsure.data(), at.first.data(), at.letter.data(), at.roots.data(),
                          at.left.data(), at.crossing.data());
}

// Each cell into up to three parts.
void Inputs::cut_curve() {
    std::uniform_int_distribution<i64> draw(0, 2);
    for (i64 c = 0; c < cells_; ++c) {
        Doubles ends = uniform(draw(rng_), 0, 1);
        std::sort(ends.begin(), ends.end());
        ends.push_back(1);
        f64 start = 0;
        for (const f64 stop : ends) {
            parent_.push_back(c);
            start_.push_back(start);
            stop_.push_back(stop);
            part_t_.push_back(curve_.t[c] + start * (curve_.t[c + 1] - curve_.t[c]));
            for (i64 i = 0; i < row_; ++i) part_letters_.push_back(curve_.left[c * row_ + i]);
            start = stop;
        }
    }
    part_t_.push_back(1);
    part_weights_ = weights_at(curve_.w, part_t_);
    part_displacement_ = uniform(ssize(part_t_), 0, 1e-15);
}

Call Inputs::cell_margins() const {
    const Doubles out = some<f64>(cells_);
    return make_call(&cuda::cell_margins, cells_, degree, curve_.tau, curve_.speeds, curve_.eps,
                     curve_.rho, curve_.norm, out, out, out, out);
}

Call Inputs::cell_signs() const {
    Doubles rows = curve_.rows;
    rows[vertices_ / 2 * degree * entries_] = infinity();
    const i64 count = cells_ * row_;
    return make_call(&cuda::cell_signs, count, degree, rows, entries_, width_, ssize(thresholds_),
                     thresholds_, curve_.weights, scale_, curve_.cell_norm, curve_.absolute,
                     curve_.of_w, some<u64>(count), some<u64>(count), some<i64>(count),
                     some<f64>(count));
}

Call Inputs::list_candidates() const {
    const Integers out = some<i64>(ssize(curve_.cell));
    return make_call(&cuda::list_candidates, cells_ * row_, curve_.unsure, curve_.first, words_,
                     ssize(thresholds_), out, out, out);
}

Call Inputs::add_letters() const {
    const i64 words = cells_ * row_;
    return make_call(&cuda::add_letters, words, curve_.unsure, curve_.first, curve_.letter,
                     curve_.roots, curve_.left, some<u64>(words));
}

Call Inputs::isolate() const {
    const i64 count = ssize(curve_.cell);
    const Doubles out = some<f64>(count * degree);
    return make_call(&cuda::isolate, count, curve_.cell, curve_.neuron, curve_.threshold, degree,
                     curve_.rows, entries_, thresholds_, curve_.weights, scale_, 1, curve_.t,
                     curve_.tau, curve_.speeds, curve_.cell_alpha, curve_.cell_norm,
                     some<cuda::Byte>(count), some<i64>(count), some<cuda::Byte>(cells_), out, out,
                     out, out, out);
}

Call Inputs::displace_ends() const {
    return make_call(&cuda::displace_ends, vertices_, cells_, degree, curve_.rows, entries_, width_,
                     ssize(thresholds_), thresholds_, curve_.weights, 1, curve_.left,
                     curve_.crossing, some<f64>(vertices_));
}

Call Inputs::cut_weights() const {
    const i64 count = ssize(parent_);
    return make_call(&cuda::cut_weights, count, count, degree, curve_.w, part_t_,
                     some<f64>(count * degree + 1));
}

Call Inputs::restrict_outputs() const {
    const i64 count = ssize(parent_);
    return make_call(&cuda::restrict_outputs, count * entries_, count, degree, curve_.rows,
                     entries_, width_, ssize(thresholds_), slopes_, offsets_, part_letters_,
                     parent_, start_, stop_, part_weights_,
                     some<f64>((count * degree + 1) * entries_));
}

Call Inputs::pass_on_curve() const {
    const i64 count = ssize(parent_);
    const Doubles out = some<f64>(count * degree + 1);
    return make_call(&cuda::pass_on_curve, count, count, degree, parent_, start_, stop_, 1, 1, 0.5,
                     gain_[0], gain_[1], curve_.eps, curve_.rho, curve_.norm, curve_.weights,
                     part_displacement_, out, out);
}

Call Inputs::bound_curve_product() const {
    const i64 count = ssize(curve_.norm);
    return make_call(&cuda::bound_curve_product, count, entries_, curve_.norm, some<f64>(count));
}

Call Inputs::add_bias_times() const {
    return make_call(&cuda::add_bias_times, ssize(curve_.rows), entries_, scale_, curve_.weights,
                     curve_.rows);
}

Call Inputs::bound_speed() const {
    Doubles steps = curve_.norm;
    steps.pop_back();
    return make_call(&cuda::bound_speed, cells_, degree, curve_.t, curve_.tau, curve_.speeds,
                     curve_.alpha, steps, 1, gain_[0], gain_[1], 0.5, some<f64>(cells_));
}

}  // namespace pyexpr::bench
