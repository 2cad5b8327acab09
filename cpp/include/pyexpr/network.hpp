// The network: affine maps and piecewise-linear activations, immutable.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "pyexpr/activation.hpp"
#include "pyexpr/affine_map.hpp"
#include "pyexpr/layers.hpp"

namespace pyexpr {

// One level of the engine: z = map(h), then the activation of the first of these entries. The others
// pass: later levels read them, as behind a skip connection.
struct Level {
    std::shared_ptr<const AffineMap> before;
    Activation activation;

    const AffineMap& map() const { return *before; }
    std::size_t entries() const { return before->outputs(); }
    bool passes() const { return entries() > activation.width(); }
    // max |slope|
    double lipschitz() const {
        return passes() ? std::max(1.0, activation.lipschitz()) : activation.lipschitz();
    }
    double slope(const Word* letters, std::size_t q) const {
        return q < activation.width() ? activation.slope(activation.piece(letters, q), q) : 1;
    }
};

class Network {
public:
    // With every level's neurons as a layer.
    Network(std::vector<Level> levels, std::shared_ptr<const AffineMap> readout);
    Network(std::vector<Level> levels, std::shared_ptr<const AffineMap> readout,
            std::vector<Layer> layers);

    std::size_t depth() const { return levels_.size(); }
    const Level& level(std::size_t l) const { return levels_[l]; }
    const AffineMap& readout() const { return *readout_; }
    const std::shared_ptr<const AffineMap>& shared_readout() const { return readout_; }
    // The affine map into level l, or into the output for l == depth().
    const AffineMap& map(std::size_t l) const { return l < depth() ? levels_[l].map() : *readout_; }
    std::size_t inputs() const { return map(0).inputs(); }
    std::size_t outputs() const { return readout_->outputs(); }
    // What has letters that users see, in graph order.
    const std::vector<Layer>& layers() const { return layers_; }
    // Of all layers.
    std::size_t neurons() const;
    // Whether a neuron of a level may switch and no letter change.
    bool pools() const;

private:
    std::vector<Level> levels_;
    std::shared_ptr<const AffineMap> readout_;
    std::vector<Layer> layers_;
};

}  // namespace pyexpr
