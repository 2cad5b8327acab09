#include "pyexpr/proportional.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "pyexpr/pair.hpp"

namespace pyexpr {
namespace {

// x y = u v in real arithmetic; false where that cannot be told from doubles alone.
bool equal_products(double x, double y, double u, double v) {
    const Pair left = two_product(x, y), right = two_product(u, v);
    if (!std::isfinite(left.high) || left.high != right.high || left.low != right.low) return false;
    // Nothing was lost to underflow, or nothing was there to be lost.
    return std::abs(left.high) > 0x1p-900 || ((x == 0 || y == 0) && (u == 0 || v == 0));
}

}  // namespace

bool proportional(const Level& level, const Meeting& a, const Meeting& b) {
    const AffineMap& map = level.map();
    if (!map.disjoint_inputs()) return false;
    const std::size_t i = a.neuron, j = b.neuron;
    const auto margin_bias = [&](const Meeting& m) {
        return two_sum(map.bias()[m.neuron], -level.activation.threshold(m.threshold));
    };
    const Pair p = margin_bias(a), q = margin_bias(b);
    if (p.low != 0 || q.low != 0) return false;
    // Pairs of weights for one input.
    std::vector<std::pair<double, double>> pairs(map.inputs());
    map.for_each_in_row(i, [&](std::size_t k, double weight) { pairs[k].first = weight; });
    map.for_each_in_row(j, [&](std::size_t k, double weight) { pairs[k].second = weight; });
    const auto pivot = std::find_if(pairs.begin(), pairs.end(),
                                    [](const auto& pair) { return pair.first != 0; });
    if (pivot == pairs.end() || pivot->second == 0) return false;
    const auto [x, y] = *pivot;
    if (!equal_products(p.high, y, q.high, x)) return false;
    return std::all_of(pairs.begin(), pairs.end(), [x = x, y = y](const auto& pair) {
        return equal_products(pair.first, y, pair.second, x);
    });
}

}  // namespace pyexpr
