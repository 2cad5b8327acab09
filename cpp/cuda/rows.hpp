// The outputs of a level at the vertices of the next one, and what maps make of them.
#pragma once

#include "phi.hpp"
#include "pyexpr/rounding.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// Entry i of [vertices, entries]: phi of z on the cell's chord; entries from `width` on pass.
PYEXPR_ANYWHERE inline void find_outputs(i64 i, const f64* rows, i64 entries, i64 width, i64 count,
                                         const f64* thresholds, const f64* slopes,
                                         const f64* offsets, const i64* from, const f64* share,
                                         f64* hidden) {
    const auto [v, q] = place(i, entries);
    const i64 at = from[v] * entries + q;
    f64 z = rows[at];
    if (share[v] != 0) z += share[v] * (rows[at + entries] - z);
    hidden[i] = q < width ? activate(z, q, width, count, thresholds, slopes, offsets) : z;
}

// The same in double-double; `before` and t: of the cells' vertices and of the new ones.
PYEXPR_ANYWHERE inline void find_outputs_extended(i64 i, const f64* rows, const f64* lows,
                                                  i64 entries, i64 width, i64 count,
                                                  const f64* thresholds, const f64* slopes,
                                                  const f64* offsets, const f64* offset_lows,
                                                  const i64* from, const f64* share,
                                                  const f64* before, const f64* t, f64* hidden,
                                                  f64* hidden_low) {
    const auto [v, q] = place(i, entries);
    const i64 c = from[v], at = c * entries + q;
    Pair z{rows[at], lows[at]};
    if (share[v] != 0) {
        const Pair start{before[c]};
        const Pair way = (Pair{t[v]} - start) / (Pair{before[c + 1]} - start);
        z = z + way * (Pair{rows[at + entries], lows[at + entries]} - z);
    }
    if (q < width) z = activate(z, q, width, count, thresholds, slopes, offsets, offset_lows);
    hidden[i] = z.high;
    hidden_low[i] = z.low;
}

// Part i of [vertices, parts]: a part of |h|^2.
PYEXPR_ANYWHERE inline void add_squares(i64 i, const f64* hidden, i64 entries, i64 parts,
                                        f64* squares) {
    const auto [v, part] = place(i, parts);
    const f64* h = hidden + v * entries;
    f64 sum = 0;
    for (i64 q = part; q < entries; q += parts) sum += h[q] * h[q];
    squares[i] = sum;
}

// >= |(h, w)|_2 of a row, also where squares overflow or underflow; w is 1 where there is none.
PYEXPR_ANYWHERE inline void bound_norm(i64 v, const f64* hidden, i64 entries, i64 parts,
                                       const f64* squares, const f64* weights, f64* norm) {
    const f64 w = weights ? weights[v] : 1;
    f64 sum = 0;
    for (i64 i = 0; i < parts; ++i) sum += squares[v * parts + i];
    if (sum < 0x1p1000 && (w > 0x1p-300 || sum > 0x1p-900)) {  // else underflow is seen
        norm[v] = up(::sqrt(sum) + w);
        return;
    }
    const f64* h = hidden + v * entries;
    f64 most = 0;
    for (i64 q = 0; q < entries; ++q) most = largest(most, ::fabs(h[q]));
    f64 scaled = 0;
    if (most > 0)
        for (i64 q = 0; q < entries; ++q) scaled += (h[q] / most) * (h[q] / most);
    norm[v] = up(most * ::sqrt(scaled) + underflow + w);
}

// Entry i of [vertices, outputs]; bias: [networks, outputs].
PYEXPR_ANYWHERE inline void add_bias(i64 i, i64 outputs, const i64* piece, i64 pieces_of_network,
                                     const f64* bias, f64* rows) {
    const auto [v, q] = place(i, outputs);
    rows[i] += bias[place(piece[v], pieces_of_network).row * outputs + q];
}

// y [rows, y_stride] += x [rows, x_stride] W^T at entry i of [rows, outputs], from an offset of both
// on, for a sparse W.
PYEXPR_ANYWHERE inline void multiply_sparse(i64 i, i64 outputs, const i64* first, const i64* column,
                                            const f64* weight, const f64* x, i64 x_stride,
                                            i64 x_offset, f64* y, i64 y_stride, i64 y_offset) {
    const auto [row, q] = place(i, outputs);
    const f64* in = x + row * x_stride + x_offset;
    f64 sum = 0;
    for (i64 e = first[q]; e < first[q + 1]; ++e) sum += weight[e] * in[column[e]];
    y[row * y_stride + y_offset + q] += sum;
}

// What a convolution's taps meet; its shape: see ConvolutionShape.
struct Patches {
    enum Of {
        channels_in,
        height,
        width,
        channels_out,
        kernel_height,
        kernel_width,
        stride_y,
        stride_x,
        pad_top,
        pad_left,
        pad_bottom,
        pad_right,
        dilation_y,
        dilation_x,
        groups,
        out_height,
        out_width
    };
    const i64* shape;
    PYEXPR_ANYWHERE i64 pixels() const { return shape[out_height] * shape[out_width]; }
    PYEXPR_ANYWHERE i64 channels_of_group() const { return shape[channels_in] / shape[groups]; }
    PYEXPR_ANYWHERE i64 taps() const {
        return channels_of_group() * shape[kernel_height] * shape[kernel_width];
    }
    // The group that an output channel is of.
    PYEXPR_ANYWHERE i64 group(i64 channel) const {
        return channel / (shape[channels_out] / shape[groups]);
    }
    // The entry that a tap of a group's channels meets at a pixel, or -1 in the padding.
    PYEXPR_ANYWHERE i64 entry(i64 group, i64 tap, i64 pixel) const {
        const auto [row, column] = place(pixel, shape[out_width]);
        const auto [line, right] = place(tap, shape[kernel_width]);
        const auto [inner, down] = place(line, shape[kernel_height]);
        const i64 channel = group * channels_of_group() + inner;
        const i64 y = row * shape[stride_y] + down * shape[dilation_y] - shape[pad_top];
        const i64 x = column * shape[stride_x] + right * shape[dilation_x] - shape[pad_left];
        if (y < 0 || y >= shape[height] || x < 0 || x >= shape[width]) return -1;
        return (channel * shape[height] + y) * shape[width] + x;
    }
};

// Entry i of [rows, taps, pixels]: what a group's taps meet.
PYEXPR_ANYWHERE inline void unfold(i64 i, const i64* shape, i64 group, const f64* x, i64 x_stride,
                                   i64 x_offset, f64* patches) {
    const Patches at{shape};
    const i64 pixels = at.pixels(), taps = at.taps();
    const Place pixel = place(i, pixels), tap = place(pixel.row, taps);
    const i64 entry = at.entry(group, tap.entry, pixel.entry);
    patches[i] = entry < 0 ? 0 : x[tap.row * x_stride + x_offset + entry];
}

// The sums of entry i of [vertices, outputs] in double-double begin with the bias.
PYEXPR_ANYWHERE inline void begin_extended(i64 i, i64 outputs, const i64* piece,
                                           i64 pieces_of_network, const f64* bias, f64* rows,
                                           f64* lows) {
    const auto [v, q] = place(i, outputs);
    rows[i] = bias[place(piece[v], pieces_of_network).row * outputs + q];
    lows[i] = 0;
}

// weight: [inputs, outputs].
PYEXPR_ANYWHERE inline void multiply_dense_extended(i64 i, i64 inputs, i64 outputs,
                                                    const f64* weight, const f64* x,
                                                    const f64* x_low, i64 x_stride, i64 x_offset,
                                                    f64* y, f64* y_low, i64 y_stride,
                                                    i64 y_offset) {
    const auto [v, q] = place(i, outputs);
    const i64 in = v * x_stride + x_offset;
    const i64 out = v * y_stride + y_offset + q;
    Pair sum{y[out], y_low[out]};
    for (i64 j = 0; j < inputs; ++j)
        add_product(sum, {x[in + j], x_low[in + j]}, weight[j * outputs + q]);
    y[out] = sum.high;
    y_low[out] = sum.low;
}

PYEXPR_ANYWHERE inline void multiply_sparse_extended(i64 i, i64 outputs, const i64* first,
                                                     const i64* column, const f64* weight,
                                                     const f64* x, const f64* x_low, i64 x_stride,
                                                     i64 x_offset, f64* y, f64* y_low, i64 y_stride,
                                                     i64 y_offset) {
    const auto [v, q] = place(i, outputs);
    const i64 in = v * x_stride + x_offset;
    const i64 out = v * y_stride + y_offset + q;
    Pair sum{y[out], y_low[out]};
    for (i64 e = first[q]; e < first[q + 1]; ++e)
        add_product(sum, {x[in + column[e]], x_low[in + column[e]]}, weight[e]);
    y[out] = sum.high;
    y_low[out] = sum.low;
}

// weight: [channels out, taps].
PYEXPR_ANYWHERE inline void convolve_extended(i64 i, const i64* shape, const f64* weight,
                                              const f64* x, const f64* x_low, i64 x_stride,
                                              i64 x_offset, f64* y, f64* y_low, i64 y_stride,
                                              i64 y_offset) {
    const Patches at{shape};
    const i64 pixels = at.pixels(), taps = at.taps(),
              outputs = shape[Patches::channels_out] * pixels;
    const auto [v, q] = place(i, outputs);
    const auto [channel, pixel] = place(q, pixels);
    const i64 group = at.group(channel), in = v * x_stride + x_offset;
    const i64 out = v * y_stride + y_offset + q;
    Pair sum{y[out], y_low[out]};
    for (i64 tap = 0; tap < taps; ++tap) {
        const i64 entry = at.entry(group, tap, pixel);
        if (entry >= 0)
            add_product(sum, {x[in + entry], x_low[in + entry]}, weight[channel * taps + tap]);
    }
    y[out] = sum.high;
    y_low[out] = sum.low;
}

// Makes the high part of entry i the nearest float, and the low part the rest.
PYEXPR_ANYWHERE inline void normalise(i64 i, f64* rows, f64* lows) {
    const Pair sum = two_sum(rows[i], lows[i]);
    rows[i] = sum.high;
    lows[i] = sum.low;
}

}  // namespace pyexpr::cuda
