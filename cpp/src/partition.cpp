#include "pyexpr/partition.hpp"

#include <atomic>
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
    order.clear();
    partial = false;
    kept.clear();
    place.clear();
    scale.clear();
    known.clear();
    live.clear();
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

Partition& Partitions::renew(std::size_t l) {
    std::shared_ptr<Partition>& level = levels_[l];
    if (!level || level.use_count() > 1) level = std::make_shared<Partition>();
    // Whoever let go of it has read all that it wanted.
    std::atomic_thread_fence(std::memory_order_acquire);
    return *level;
}

Partitions Partitions::up_to(std::size_t level) const {
    Partitions out;
    out.levels_.assign(levels_.begin(), levels_.begin() + static_cast<std::ptrdiff_t>(level) + 1);
    return out;
}

std::size_t Partitions::bytes() const {
    std::size_t doubles = 0;
    for (const auto& level : levels_)
        if (level) doubles += level->rows.capacity() + level->lows.capacity();
    return doubles * sizeof(double);
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
