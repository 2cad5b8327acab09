// What the rows of a new partition are wrong by: docs/mathematics/proof.md has the induction.
#pragma once

#include "pyexpr/rounding.hpp"
#include "types.hpp"

namespace pyexpr::cuda {

// Of a row that a map of so many terms has made. `extended`: 1 if it is in double-double.
PYEXPR_ANYWHERE inline void bound_product(i64 v, i64 terms, i64 extended, const f64* norm,
                                          f64* rho) {
    const auto k = static_cast<size_t>(terms);
    rho[v] = up((extended ? compensated(k) : gamma(k)) * norm[v]);
}

// Of the high part alone, where there is a low one.
PYEXPR_ANYWHERE inline void bound_rows(i64 v, i64 extended, const f64* eps, const f64* rho,
                                       const f64* norm, f64* alpha) {
    alpha[v] = eps[v] + rho[v] + (extended ? 2 * unit_roundoff * norm[v] : 0);
}

// eps of vertex v, and what of it is `local`, from those of the run it was cut from: whose errors
// grow by at most `gain` (the map's norm) and `rounding_gain` (that of its row norms), times the
// Lipschitz constant. An old vertex is itself; a new one lies on the chord of a cell's ends.
PYEXPR_ANYWHERE inline void pass_on(i64 v, const i64* from, const f64* share, const i64* piece,
                                    i64 pieces_of_network, i64 was_extended, i64 extended,
                                    i64 rounds, f64 lipschitz, f64 offsets, const f64* gain,
                                    const f64* rounding_gain, const f64* old_eps,
                                    const f64* old_rho, const f64* old_norm, const f64* old_alpha,
                                    const f64* old_displacement, const f64* displacement,
                                    f64* local, f64* eps) {
    const i64 network = piece[v] / pieces_of_network, first = from[v];
    const i64 last = share[v] != 0 ? first + 1 : first;
    f64 inherited = 0, fresh = 0, displaced = 0;
    for (i64 end = first; end <= last; ++end) {
        // Plain rows are made from the high parts alone.
        const f64 rho = old_rho[end] +
                        (was_extended && !extended ? 2 * unit_roundoff * old_norm[end] : 0);
        const f64 passed = gain[network] * old_eps[end] + rounding_gain[network] * rho;
        inherited = largest(inherited, up(lipschitz * (passed + underflow)));
        const f64 size = lipschitz * rounding_gain[network] * (old_norm[end] + old_alpha[end]);
        // Evaluating phi, and before that the chord.
        if (last != first || rounds || extended)
            fresh += 16 * unit_roundoff * (extended ? 8 * unit_roundoff : 1) * (size + offsets);
        if (last != first) displaced = largest(displaced, old_displacement[end]);
    }
    local[v] = up(fresh + displacement[v] + displaced + underflow);
    eps[v] = up(inherited + local[v]);
}

}  // namespace pyexpr::cuda
