#include "pyexpr/partition.hpp"

#include <cmath>

namespace pyexpr {

void Partition::clear() {
    vertices.clear();
    eps.clear();
    local.clear();
    rho.clear();
    norm.clear();
    rows.clear();
    lows.clear();
    letters.clear();
    parent.clear();
    degree = 1;
    speeds.clear();
    weights.clear();
}

Bernstein<double> Partition::margin(std::size_t c, std::size_t neuron, double theta) const {
    Bernstein<double> f;
    f.degree = degree;
    const std::size_t first = first_row(c);
    for (std::size_t i = 0; i <= degree; ++i)
        f[i] = row(first + i)[neuron] - theta * weights[first + i];
    return f;
}

double Partition::margin_size(std::size_t c, std::size_t neuron, double theta) const {
    double size = 0;
    for (std::size_t r = first_row(c); r <= first_row(c + 1); ++r)
        size = std::max(size, std::abs(row(r)[neuron]) + std::abs(theta) * weights[r]);
    return size;
}

void gather_pattern(const Partitions& partitions, std::size_t level, std::size_t cell,
                    Pattern& out) {
    out.resize(level);
    for (std::size_t l = level; l > 0; --l) {
        out[l - 1] = partitions[l].letter_row(cell);
        cell = partitions[l].parent[cell];
    }
}

}  // namespace pyexpr
