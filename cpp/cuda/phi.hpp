// The activation of a level, by value: the piece that z itself is on.
#pragma once

#include "pyexpr/pair.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// Of neuron q of `width`: slopes, offsets: [pieces, width].
PYEXPR_ANYWHERE inline f64 activate(f64 z, i64 q, i64 width, i64 count, const f64* thresholds,
                                    const f64* slopes, const f64* offsets) {
    i64 piece = 0;
    for (i64 k = 0; k < count; ++k) piece += z > thresholds[k];
    return slopes[piece * width + q] * z + offsets[piece * width + q];
}

PYEXPR_ANYWHERE inline Pair activate(const Pair& z, i64 q, i64 width, i64 count,
                                     const f64* thresholds, const f64* slopes, const f64* offsets,
                                     const f64* offset_lows) {
    i64 piece = 0;
    for (i64 k = 0; k < count; ++k) piece += (z - Pair{thresholds[k]}).high > 0;
    const i64 at = piece * width + q;
    return Pair{slopes[at]} * z + Pair{offsets[at], offset_lows[at]};
}

}  // namespace pyexpr::cuda
