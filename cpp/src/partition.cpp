#include "pyexpr/partition.hpp"

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
