// Made-up arguments for every kernel: what a run of some network might give it, with what is special
// now and then.
#pragma once

#include <random>

#include "kernel_call.hpp"
#include "kernels.hpp"

namespace pyexpr::bench {

constexpr cuda::i64 curve_degree = 3;

template <class T>
std::vector<T> some(cuda::i64 count, T value = 0) {
    return std::vector<T>(static_cast<std::size_t>(count), value);
}

class Inputs {
public:
    // At least three vertices.
    Inputs(cuda::i64 vertices, cuda::i64 width, unsigned seed);

    // The arguments of each kernel, by its name.
#define PYEXPR_DECLARE(name) Call name() const;
    PYEXPR_FOR_EACH_KERNEL(PYEXPR_DECLARE)
#undef PYEXPR_DECLARE

private:
    using i64 = cuda::i64;
    using Integers = std::vector<cuda::i64>;
    using Words = std::vector<cuda::u64>;
    using Doubles = std::vector<cuda::f64>;

    void make_networks();
    void make_vertices();
    void make_rows();
    void make_letters();
    void make_events();
    void cut_cells();
    void make_operations();
    void make_curve();
    void find_candidates();
    void cut_curve();
    Doubles uniform(i64 count, double low, double high);
    // Of word i of [vertices, thresholds, words].
    cuda::u64 letters_above(i64 i) const;

    std::mt19937_64 rng_;
    i64 vertices_, cells_, width_, entries_, words_, row_;

    // Networks: their activation, and the norms of their maps.
    Doubles thresholds_, slopes_, offsets_, offset_lows_, speed_, gain_, scale_, bias_;

    // A run of cells.
    Integers piece_, level_, neuron_, threshold_;
    Doubles t_, tau_, rows_, lows_, eps_, rho_, norm_, alpha_, displacement_;
    std::vector<cuda::Byte> hard_;
    Words positive_, left_, crossing_;

    // Events on these, in order, each a point of its own.
    Integers event_cell_, event_neuron_, event_threshold_, event_point_;
    Doubles event_t_, event_tau_, event_displacement_;
    Integers first_of_word_, first_of_cell_;

    // The vertices that they cut the cells into.
    Integers from_, new_piece_;
    Doubles new_t_, share_, new_displacement_;

    // Operations of a map, and sums that they add to: [vertices, width + 2].
    Doubles dense_, sparse_, sums_, sum_lows_;
    Integers first_of_row_, column_;
    Integers shape_;  // of a convolution, with `pixels_`, [vertices, pixels and one more]
    i64 pixels_ = 0, taps_ = 0, pixels_out_ = 0;
    Doubles kernel_, image_, image_lows_, out_, out_lows_;

    // As many cells of a curve, of which a row is a coefficient; what is open there, and what is known
    // of it.
    struct Curve {
        Doubles t, tau, w, weights, rows, eps, rho, norm, alpha, speeds;
        Doubles cell_alpha, cell_norm, absolute, of_w;
        Words left, unsure, crossing;
        Integers first, cell, neuron, threshold, roots;
        std::vector<cuda::Byte> letter;
    };
    Curve curve_;

    // The cells that it is cut into.
    Integers parent_;
    Doubles part_t_, start_, stop_, part_weights_, part_displacement_;
    Words part_letters_;
};

}  // namespace pyexpr::bench
