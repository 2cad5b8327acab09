#include "pyexpr/layers.hpp"

#include <algorithm>
#include <utility>

#include "pyexpr/network.hpp"

namespace pyexpr {
namespace {

// Visits the neurons of a level that are on other pieces.
template <class Visit>
void for_each_difference(const Activation& phi, const Word* left, const Word* right,
                         Visit&& visit) {
    if (left == right) return;  // both cells descend from one cell of this level
    for (std::size_t w = 0; w < phi.words(); ++w) {
        Word differs = 0;
        for (std::size_t k = 0; k < phi.thresholds(); ++k)
            differs |= left[k * phi.words() + w] ^ right[k * phi.words() + w];
        for_each_bit(differs, w * 64, visit);
    }
}

struct FindChanges {
    const Network& network;
    const Pattern &left, &right;
    std::size_t layer;
    std::vector<Change>& out;

    void operator()(const Elementwise& neurons) {
        const std::size_t l = neurons.level;
        const Activation& phi = network.level(l).activation;
        for_each_difference(phi, left[l], right[l], [&](std::size_t q) {
            out.push_back({layer, q, phi.piece(left[l], q), phi.piece(right[l], q)});
        });
    }

    void operator()(const Pooling& pooling) {
        std::vector<std::size_t> touched;
        for (const Round& round : pooling.rounds)
            if (!round.window.empty())
                for_each_difference(network.level(round.level).activation, left[round.level],
                                    right[round.level],
                                    [&](std::size_t q) { touched.push_back(round.window[q]); });
        std::sort(touched.begin(), touched.end());
        touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
        for (const std::size_t window : touched) {
            const std::size_t before = pooling.winner(left, window);
            const std::size_t after = pooling.winner(right, window);
            if (before != after) out.push_back({layer, window, before, after});
        }
    }
};

}  // namespace

Round::Round(std::size_t at_level, std::size_t slots_after, std::vector<std::int32_t> neurons)
    : level(at_level), slots(slots_after), neuron(std::move(neurons)) {
    for (std::size_t i = 0; i < neuron.size(); ++i) {
        if (neuron[i] < 0) continue;
        const auto q = static_cast<std::size_t>(neuron[i]);
        if (q >= window.size()) window.resize(q + 1);
        window[q] = static_cast<std::uint32_t>(i / slots);
    }
}

std::size_t Pooling::winner(const Pattern& pattern, std::size_t window) const {
    std::size_t slot = 0;
    for (std::size_t r = rounds.size(); r-- > 0;) {
        const Round& round = rounds[r];
        const std::int32_t neuron = round.neuron[window * round.slots + slot];
        const bool goes_right = neuron >= 0 ? get_bit(pattern[round.level],
                                                      static_cast<std::size_t>(neuron))
                                            : neuron == Round::right;
        slot = 2 * slot + goes_right;
    }
    return slot;
}

std::size_t width(const Network& network, const Layer& layer) {
    if (const auto* pooling = std::get_if<Pooling>(&layer)) return pooling->windows;
    return network.level(std::get<Elementwise>(layer).level).activation.width();
}

std::size_t letter(const Network& network, const Layer& layer, const Pattern& pattern,
                   std::size_t neuron) {
    if (const auto* pooling = std::get_if<Pooling>(&layer)) return pooling->winner(pattern, neuron);
    const std::size_t l = std::get<Elementwise>(layer).level;
    return network.level(l).activation.piece(pattern[l], neuron);
}

void find_changes(const Network& network, const Pattern& left, const Pattern& right,
                  std::vector<Change>& out) {
    out.clear();
    for (std::size_t i = 0; i < network.layers().size(); ++i)
        std::visit(FindChanges{network, left, right, i, out}, network.layers()[i]);
}

}  // namespace pyexpr
