// A sink of one's own, linked to the C++ library alone: prints how many activation regions have which
// width, for a network where that is known and for a random one.
//
// usage: custom_sink [THREADS]
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "pyexpr/engine.hpp"
#include "region_widths.hpp"

namespace {

using namespace pyexpr;
using Numbers = std::vector<double>;

// weight: [out, in], row by row; bias: [out].
std::shared_ptr<const AffineMap> affine(std::size_t in, const Numbers& weight,
                                        const Numbers& bias) {
    return std::make_shared<const AffineMap>(in, bias.size(), weight.data(), bias.data());
}

Level relu(std::shared_ptr<const AffineMap> map) {
    const std::size_t width = map->outputs();
    Numbers slopes(width, 0.0);  // left of the threshold 0, then right of it
    slopes.insert(slopes.end(), width, 1.0);
    return {std::move(map), Activation(width, {0.0}, std::move(slopes), 0.0)};
}

// x -> 1 - |2 x - 1| = 2 relu(x) - 4 relu(x - 1/2) on [0, 1], again and again: 2^depth regions of
// equal widths.
Network tents(std::size_t depth) {
    std::vector<Level> levels{relu(affine(1, {1, 1}, {0, -0.5}))};
    while (levels.size() < depth) levels.push_back(relu(affine(2, {2, -4, 2, -4}, {0, -0.5})));
    return {std::move(levels), affine(2, {2, -4}, {0})};
}

Numbers integers(std::mt19937& random, std::size_t n) {
    Numbers out(n);
    for (double& x : out) x = static_cast<double>(random() % 9) - 4;
    return out;
}

Network random_network(std::mt19937& random, const std::vector<std::size_t>& sizes) {
    std::vector<std::shared_ptr<const AffineMap>> maps;
    for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
        const Numbers weight = integers(random, sizes[l] * sizes[l + 1]);
        maps.push_back(affine(sizes[l], weight, integers(random, sizes[l + 1])));
    }
    std::vector<Level> levels;
    for (std::size_t l = 0; l + 1 < maps.size(); ++l) levels.push_back(relu(maps[l]));
    return {std::move(levels), maps.back()};
}

void measure(const char* name, const Network& network, const Numbers& x0, const Numbers& x1,
             std::size_t threads) {
    const Trajectory segment{{Line{x0, x1, nullptr}}, false};
    RegionWidths sink(network, segment);
    Workspaces workspaces;
    run(network, segment, sink, workspaces, {.threads = threads});
    const Widths found = sink.widths();
    std::printf("%s\n", name);
    for (const auto& [k, count] : found.counts)
        std::printf("  width 2^%d: %lld\n", k, static_cast<long long>(count));
    std::printf("  widest: from %.17g to %.17g, with %zu of %zu neurons active\n",
                found.widest.start, found.widest.end, found.widest.active, network.neurons());
}

}  // namespace

int main(int argc, char** argv) {
    const auto threads = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 1);
    measure("tents", tents(14), {0}, {1}, threads);
    std::mt19937 random(0);
    const Network network = random_network(random, {4, 32, 32, 32, 1});
    const Numbers x0 = integers(random, 4), x1 = integers(random, 4);
    measure("random network", network, x0, x1, threads);
}
