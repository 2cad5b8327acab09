#include "kernel_inputs.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

namespace pyexpr::bench {
namespace {

using cuda::f64;
using cuda::i64;
using cuda::u64;
using Bytes = std::vector<cuda::Byte>;
using Doubles = std::vector<f64>;
using Integers = std::vector<i64>;
using Words = std::vector<u64>;

constexpr i64 networks = 2, pieces_of_network = 4, pieces = networks * pieces_of_network;
constexpr i64 parts = 32;  // of a sum of squares
constexpr i64 passing = 3;  // entries of a row behind the neurons

}  // namespace

Inputs::Inputs(i64 vertices, i64 width, unsigned seed)
    : rng_(seed),
      vertices_(vertices),
      cells_(vertices - 1),
      width_(width),
      entries_(width + passing) {
    make_networks();
    make_vertices();
    make_rows();
    make_letters();
    make_events();
    cut_cells();
    make_operations();
    make_curve();
    find_candidates();
    cut_curve();
}

Doubles Inputs::uniform(i64 count, double low, double high) {
    std::uniform_real_distribution<double> draw(low, high);
    Doubles out(static_cast<std::size_t>(count));
    for (double& x : out) x = draw(rng_);
    return out;
}

// A leaky hard tanh.
void Inputs::make_networks() {
    thresholds_ = {-1, 1};
    words_ = (width_ + 63) / 64;
    row_ = words_ * ssize(thresholds_);
    for (const double slope : {0.01, 1.0, 0.01})
        for (i64 q = 0; q < width_; ++q) slopes_.push_back(slope);
    offsets_ = uniform(ssize(slopes_), -1, 1);
    offset_lows_ = uniform(ssize(slopes_), -0x1p-54, 0x1p-54);
    speed_ = uniform(networks, 1, 100);
    gain_ = uniform(networks, 1, 3);
    scale_ = uniform(networks * entries_, 0.5, 2);
    bias_ = uniform(networks * width_, -1, 1);
}

// Pieces one behind the other, from t = 0 to 1 each; now and then two vertices are at one t.
void Inputs::make_vertices() {
    for (i64 v = 0; v < vertices_; ++v) piece_.push_back(v * pieces / vertices_);
    t_ = uniform(vertices_, 0, 1);
    tau_ = uniform(vertices_, 0, 1e-12);
    for (i64 v = 0, first = 0; v < vertices_; ++v) {
        if (v % 50 == 49) t_[v] = t_[v - 1];
        if (v % 7 == 0) tau_[v] = 0;
        if (v + 1 < vertices_ && piece_[v] == piece_[v + 1]) continue;
        std::sort(&t_[first], &t_[v] + 1);
        t_[first] = tau_[first] = tau_[v] = 0;
        if (v > first) t_[v] = 1;
        first = v + 1;
    }
    const auto numbers = [&](i64 below) {
        std::uniform_int_distribution<i64> draw(0, below - 1);
        Integers out = some<i64>(vertices_);
        for (i64& number : out) number = draw(rng_);
        return out;
    };
    level_ = numbers(5);
    neuron_ = numbers(width_);
    threshold_ = numbers(ssize(thresholds_));
}

// Each neuron crosses its thresholds a few times on a piece. Some rows are known badly.
void Inputs::make_rows() {
    const Doubles phase = uniform(entries_, 0, 6);
    for (i64 v = 0; v < vertices_; ++v)
        for (i64 q = 0; q < entries_; ++q)
            rows_.push_back(2 * std::sin(6 * t_[v] + static_cast<double>(piece_[v]) + phase[q]));
    lows_ = uniform(ssize(rows_), -0x1p-54, 0x1p-54);
    eps_ = uniform(vertices_, 0, 1e-14);
    rho_ = uniform(vertices_, 0, 1e-14);
    norm_ = uniform(vertices_, 1, 10);
    alpha_ = uniform(vertices_, 0, 1e-13);
    for (i64 v = 0; v < vertices_; v += 20) alpha_[v] = 1e-3;
    displacement_ = uniform(vertices_, 0, 1e-15);
}

u64 Inputs::letters_above(i64 i) const {
    const i64 v = i / row_, first = i % words_ * 64;
    u64 out = 0;
    for (i64 q = first; q < std::min(first + 64, width_); ++q)
        out |= u64{rows_[v * entries_ + q] > thresholds_[i / words_ % 2]} << (q - first);
    return out;
}

void Inputs::make_letters() {
    hard_ = some<cuda::Byte>(cells_);
    for (i64 c = 0; c < cells_; c += 30) hard_[c] = 1;
    for (i64 i = 0; i < vertices_ * row_; ++i) positive_.push_back(letters_above(i));
    left_.assign(positive_.begin(), positive_.end() - row_);
    for (i64 i = 0; i < cells_ * row_; ++i) {
        const i64 c = i / row_;
        const bool crosses = piece_[c] == piece_[c + 1] && !hard_[c];
        crossing_.push_back(crosses ? positive_[i] ^ positive_[i + row_] : 0);
    }
}

void Inputs::make_events() {
    for (i64 c = 0, i = 0; c < cells_; ++c) {
        first_of_cell_.push_back(ssize(event_cell_));
        for (const i64 end = i + row_; i < end; ++i) {
            first_of_word_.push_back(ssize(event_cell_));
            for (u64 word = crossing_[i]; word != 0; word &= word - 1) {
                event_cell_.push_back(c);
                event_neuron_.push_back(i % words_ * 64 + std::countr_zero(word));
                event_threshold_.push_back(i / words_ % 2);
                event_point_.push_back(ssize(event_point_));
            }
        }
        Doubles ts = uniform(ssize(event_cell_) - first_of_cell_[c], t_[c],
                             std::max(t_[c], t_[c + 1]));
        std::sort(ts.begin(), ts.end());
        event_t_.insert(event_t_.end(), ts.begin(), ts.end());
    }
    first_of_cell_.push_back(ssize(event_cell_));
    event_tau_ = uniform(ssize(event_t_), 0, 1e-5);
    event_displacement_ = uniform(ssize(event_t_), 0, 1e-15);
}

void Inputs::cut_cells() {
    const auto add = [&](i64 v, f64 t) {
        const f64 length = t > t_[v] ? t_[v + 1] - t_[v] : 0;
        from_.push_back(v);
        new_piece_.push_back(piece_[v]);
        new_t_.push_back(t);
        share_.push_back(length > 0 ? std::min((t - t_[v]) / length, 1.0) : 0);
    };
    for (i64 v = 0; v < vertices_; ++v) {
        add(v, t_[v]);
        for (i64 e = first_of_cell_[v]; v < cells_ && e < first_of_cell_[v + 1]; ++e)
            add(v, event_t_[e]);
    }
    new_displacement_ = uniform(ssize(from_), 0, 1e-15);
}

void Inputs::make_operations() {
    dense_ = uniform(entries_ * width_, -1, 1);
    sums_ = uniform(vertices_ * (width_ + 2), -1, 1);
    sum_lows_ = uniform(ssize(sums_), -0x1p-54, 0x1p-54);
    std::uniform_int_distribution<i64> draw(0, 15), draw_column(0, entries_ - 1);
    first_of_row_ = {0};
    for (i64 q = 0; q < width_; ++q) first_of_row_.push_back(first_of_row_.back() + draw(rng_));
    sparse_ = uniform(first_of_row_.back(), -1, 1);
    for (i64 e = 0; e < ssize(sparse_); ++e) column_.push_back(draw_column(rng_));

    const i64 side = std::max<i64>(4, std::lround(std::sqrt(static_cast<double>(width_) / 4)));
    const i64 high = (side + 1 + 1 - 3) / 2 + 1, wide = side + 1 - 5 + 1;
    shape_ = {4, side, side, 6, 3, 3, 2, 1, 1, 1, 1, 0, 1, 2, 2, high, wide};
    taps_ = 4 / 2 * 3 * 3;
    pixels_ = 4 * side * side;
    pixels_out_ = high * wide;
    kernel_ = uniform(6 * taps_, -1, 1);
    image_ = uniform(vertices_ * (pixels_ + 1), -1, 1);
    image_lows_ = uniform(ssize(image_), -0x1p-54, 0x1p-54);
    out_ = uniform(vertices_ * (6 * pixels_out_ + 1), -1, 1);
    out_lows_ = uniform(ssize(out_), -0x1p-54, 0x1p-54);
}

Call Inputs::margins() const {
    return make_call(&cuda::margins, vertices_, vertices_, t_, tau_, piece_, pieces_of_network,
                     speed_, alpha_, some<i64>(vertices_), some<f64>(vertices_),
                     some<f64>(vertices_));
}

Call Inputs::find_signs() const {
    Integers other;
    for (i64 v = 0; v < vertices_; ++v) other.push_back(v > 0 ? v - 1 : v);
    Doubles rows = rows_;
    rows[vertices_ / 2 * entries_] = infinity();
    const i64 count = vertices_ * width_ * ssize(thresholds_);
    return make_call(&cuda::find_signs, count, rows, entries_, width_, ssize(thresholds_),
                     thresholds_, piece_, pieces_of_network, scale_, norm_, other, alpha_, tau_,
                     some<cuda::Byte>(count), some<f64>(vertices_, infinity()));
}

Call Inputs::pack_signs() const {
    const i64 words = vertices_ * row_;
    Bytes signs;
    for (i64 i = 0; i < vertices_ * width_ * ssize(thresholds_); ++i)
        signs.push_back(static_cast<cuda::Byte>(i % 7 % 3));
    return make_call(&cuda::pack_signs, words, width_, signs, some<u64>(words), some<u64>(words));
}

Call Inputs::mark_unsure() const {
    Words unsure = some<u64>(ssize(positive_));
    for (i64 i = 0; i < ssize(unsure); i += 40) unsure[i] = 1;
    return make_call(&cuda::mark_unsure, ssize(unsure), row_, vertices_, unsure,
                     some<cuda::Byte>(cells_));
}

Call Inputs::find_letters() const {
    const i64 words = cells_ * row_;
    return make_call(&cuda::find_letters, words, row_, piece_, hard_, positive_, some<u64>(words),
                     some<u64>(words), some<i64>(words));
}

Call Inputs::cut_letters() const {
    return make_call(&cuda::cut_letters, cells_ * row_, words_, ssize(thresholds_), first_of_cell_,
                     first_of_cell_, event_neuron_, event_threshold_, event_point_, left_,
                     some<u64>((cells_ + ssize(event_t_)) * row_));
}

Call Inputs::count_changes() const {
    const Words before(positive_.begin(), positive_.begin() + row_);
    return make_call(&cuda::count_changes, cells_ * row_, words_, ssize(thresholds_), piece_, left_,
                     crossing_, before, width_ + 1, 1, 1, some<i64>(pieces * (width_ + 1)));
}

Call Inputs::locate() const {
    const i64 events = ssize(event_t_);
    return make_call(&cuda::locate, cells_ * row_, crossing_, first_of_word_, rows_, lows_,
                     entries_, width_, ssize(thresholds_), thresholds_, piece_, pieces_of_network,
                     scale_, 1, t_, tau_, alpha_, some<i64>(events), some<i64>(events),
                     some<i64>(events), some<f64>(events), some<f64>(events), some<f64>(events));
}

Call Inputs::mark_close() const {
    const i64 pairs = std::max<i64>(0, ssize(event_t_) - 1);
    return make_call(&cuda::mark_close, pairs, event_cell_, event_t_, event_tau_, hard_,
                     some<f64>(pairs));
}

Call Inputs::count_event() const {
    return make_call(&cuda::count_event, ssize(event_t_), event_cell_, event_neuron_, piece_,
                     width_ + 1, 1, 1, some<i64>(pieces * (width_ + 1)));
}

Call Inputs::merge() const {
    const i64 count = ssize(from_);
    const Doubles numbers = some<f64>(count);
    const Integers integers = some<i64>(count);
    return make_call(&cuda::merge, count, vertices_, 5, first_of_cell_, t_, tau_, level_, neuron_,
                     threshold_, piece_, displacement_, event_cell_, event_t_, event_tau_,
                     event_neuron_, event_threshold_, event_displacement_, numbers, numbers,
                     integers, integers, integers, integers, numbers, integers, numbers, integers);
}

Call Inputs::find_outputs() const {
    const i64 count = ssize(from_) * entries_;
    return make_call(&cuda::find_outputs, count, rows_, entries_, width_, ssize(thresholds_),
                     thresholds_, slopes_, offsets_, from_, share_, some<f64>(count));
}

Call Inputs::find_outputs_extended() const {
    const i64 count = ssize(from_) * entries_;
    return make_call(&cuda::find_outputs_extended, count, rows_, lows_, entries_, width_,
                     ssize(thresholds_), thresholds_, slopes_, offsets_, offset_lows_, from_,
                     share_, t_, new_t_, some<f64>(count), some<f64>(count));
}

Call Inputs::add_squares() const {
    const i64 count = vertices_ * parts;
    return make_call(&cuda::add_squares, count, rows_, entries_, parts, some<f64>(count));
}

// Of a row that is zero, one whose squares underflow, one where they overflow, and others.
Call Inputs::bound_norm() const {
    Doubles hidden = rows_, squares = some<f64>(vertices_ * parts), weights = some<f64>(vertices_);
    for (i64 v = 0; v < vertices_; v += 2) weights[v] = curve_.weights[v];  // those of steps are 0
    constexpr double sizes[] = {0, 1e-200, 1e200};
    for (i64 v = 0; v < 3; ++v)
        for (i64 q = 0; q < entries_; ++q) hidden[v * entries_ + q] *= sizes[v];
    for (i64 i = 0; i < ssize(squares); ++i)
        cuda::add_squares(i, hidden.data(), entries_, parts, squares.data());
    return make_call(&cuda::bound_norm, vertices_, hidden, entries_, parts, squares, weights,
                     some<f64>(vertices_));
}

Call Inputs::add_bias() const {
    const Doubles rows(sums_.begin(), sums_.begin() + vertices_ * width_);
    return make_call(&cuda::add_bias, ssize(rows), width_, piece_, pieces_of_network, bias_, rows);
}

Call Inputs::multiply_sparse() const {
    return make_call(&cuda::multiply_sparse, vertices_ * width_, width_, first_of_row_, column_,
                     sparse_, rows_, entries_, 0, sums_, width_ + 2, 1);
}

Call Inputs::unfold() const {
    const i64 count = vertices_ * taps_ * pixels_out_;
    return make_call(&cuda::unfold, count, shape_, 1, image_, pixels_ + 1, 1, some<f64>(count));
}

Call Inputs::begin_extended() const {
    const i64 count = vertices_ * width_;
    return make_call(&cuda::begin_extended, count, width_, piece_, pieces_of_network, bias_,
                     some<f64>(count), some<f64>(count));
}

Call Inputs::multiply_dense_extended() const {
    return make_call(&cuda::multiply_dense_extended, vertices_ * width_, entries_, width_, dense_,
                     rows_, lows_, entries_, 0, sums_, sum_lows_, width_ + 2, 1);
}

Call Inputs::multiply_sparse_extended() const {
    return make_call(&cuda::multiply_sparse_extended, vertices_ * width_, width_, first_of_row_,
                     column_, sparse_, rows_, lows_, entries_, 0, sums_, sum_lows_, width_ + 2, 1);
}

Call Inputs::convolve_extended() const {
    const i64 outputs = 6 * pixels_out_;
    return make_call(&cuda::convolve_extended, vertices_ * outputs, shape_, kernel_, image_,
                     image_lows_, pixels_ + 1, 1, out_, out_lows_, outputs + 1, 1);
}

Call Inputs::normalise() const {
    return make_call(&cuda::normalise, ssize(sums_), sums_, sum_lows_);
}

Call Inputs::bound_product() const {
    return make_call(&cuda::bound_product, vertices_, entries_, 1, norm_, some<f64>(vertices_));
}

Call Inputs::bound_rows() const {
    return make_call(&cuda::bound_rows, vertices_, 1, eps_, rho_, norm_, some<f64>(vertices_));
}

Call Inputs::pass_on() const {
    const i64 count = ssize(from_);
    return make_call(&cuda::pass_on, count, from_, share_, new_piece_, pieces_of_network, 1, 0, 1,
                     1, 0.5, gain_, gain_, eps_, rho_, norm_, alpha_, displacement_,
                     new_displacement_, some<f64>(count), some<f64>(count));
}

Call Inputs::compare_slopes() const {
    Doubles rows = curve_.rows;
    rows[vertices_ / 2 * curve_degree * entries_] = infinity();
    return make_call(&cuda::compare_slopes, vertices_ - 2, curve_degree, entries_, rows, t_, piece_,
                     pieces_of_network, scale_, curve_.alpha, some<cuda::Byte>(vertices_ - 2),
                     some<f64>(vertices_ - 2));
}

Call Inputs::count_bend() const {
    Bytes bends = some<cuda::Byte>(vertices_ - 2);
    for (i64 i = 0; i < ssize(bends); ++i) bends[i] = static_cast<cuda::Byte>(i % 3);
    return make_call(&cuda::count_bend, ssize(bends), bends, piece_, some<i64>(pieces));
}

Call Inputs::count_differences() const {
    Integers left, right;
    for (i64 c = 0; c < cells_; ++c) {
        left.push_back(c);
        right.push_back(cells_ - 1 - c);
    }
    return make_call(&cuda::count_differences, cells_, row_, left_, left, right, some<i64>(cells_));
}

Call Inputs::scale_by_slopes() const {
    Integers cell;
    for (i64 v = 0; v < vertices_; ++v) cell.push_back(v % cells_);
    return make_call(&cuda::scale_by_slopes, ssize(rows_), entries_, width_, ssize(thresholds_),
                     slopes_, left_, cell, rows_, some<f64>(ssize(rows_)));
}

}  // namespace pyexpr::bench
