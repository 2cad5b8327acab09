#include "pyexpr/plan.hpp"

#include <algorithm>

#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// Plain rows are used where their rounding, grown through the levels behind, leaves the filter about
// so many questions a row.
constexpr double questions_a_row = 0x1p-10;

}  // namespace

Plan::Plan(const Network& network, bool certify, const std::function<void()>& poll)
    : growth(network.depth() + 1, 1.0) {
    if (!certify) return;
    std::size_t widest = 1;
    for (std::size_t l = 0; l < network.depth(); ++l)
        widest = std::max(widest, network.level(l).activation.width());
    const double small_error = questions_a_row / static_cast<double>(widest);
    double grown = 1;
    for (std::size_t l = network.depth(); l-- > 0;) {
        poll();
        const Level& level = network.level(l);
        const double lipschitz = level.lipschitz();
        const double loss = gamma(level.map().terms()) * level.map().frobenius_norm() * lipschitz;
        if (extended_levels == 0 && !(loss * grown <= small_error)) extended_levels = l + 1;
        if (l > 0) growth[l] = grown *= lipschitz * level.map().spectral_norm();
    }
}

}  // namespace pyexpr
