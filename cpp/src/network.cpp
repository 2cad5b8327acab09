#include "pyexpr/network.hpp"

namespace pyexpr {

std::size_t Network::neurons() const {
    std::size_t total = 0;
    for (const Level& level : levels_) total += level.activation.width();
    return total;
}

}  // namespace pyexpr
