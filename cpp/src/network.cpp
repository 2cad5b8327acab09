#include "pyexpr/network.hpp"

#include <algorithm>
#include <utility>

namespace pyexpr {
namespace {

std::vector<Layer> one_a_level(std::size_t levels) {
    std::vector<Layer> layers;
    for (std::size_t l = 0; l < levels; ++l) layers.emplace_back(Elementwise{l});
    return layers;
}

}  // namespace

Network::Network(std::vector<Level> levels, std::shared_ptr<const AffineMap> readout)
    : levels_(std::move(levels)),
      readout_(std::move(readout)),
      layers_(one_a_level(levels_.size())) {}

Network::Network(std::vector<Level> levels, std::shared_ptr<const AffineMap> readout,
                 std::vector<Layer> layers)
    : levels_(std::move(levels)), readout_(std::move(readout)), layers_(std::move(layers)) {}

std::size_t Network::neurons() const {
    std::size_t total = 0;
    for (const Layer& layer : layers_) total += width(*this, layer);
    return total;
}

bool Network::pools() const {
    return std::any_of(layers_.begin(), layers_.end(),
                       [](const Layer& layer) { return std::holds_alternative<Pooling>(layer); });
}

}  // namespace pyexpr
