#include "pyexpr/engine.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

const std::vector<std::uint32_t> no_neurons;

// Plain rows are used where their rounding, grown through the levels behind, leaves the filter about
// so many questions a row.
constexpr double questions_a_row = 0x1p-8;

}  // namespace

std::size_t Workspace::bytes() const {
    std::size_t doubles = scratch.hidden.capacity() + scratch.weights.capacity();
    for (const Partition& p : partitions) doubles += p.rows.capacity() + p.lows.capacity();
    for (const Level& level : levels) doubles += level.refinement.room();
    return doubles * sizeof(double);
}

Engine::Engine(const Network& network, const Line& line, Sink& sink, Workspace& workspace,
               Options options)
    : network_(network),
      line_(line),
      sink_(sink),
      options_(std::move(options)),
      predicates_(network, line, options_.certify),
      workspace_(workspace),
      partitions_(workspace.partitions),
      growth_(network.depth()) {
    predicates_.poll = options_.poll;
    workspace_.partitions.resize(network.depth() + 1);
    workspace_.levels.resize(network.depth());
    workspace_.scratch.gemm_flops = 0;
}

void Engine::run() {
    plan();
    start();
    descend({0, 0, 1});
}

// By how much the maps' norms let an error grow, and which levels' rounding that makes large: the
// first levels have few cells, but what they lose grows through all that follow.
void Engine::plan() {
    if (!options_.certify) return;
    std::size_t widest = 1;
    for (std::size_t l = 0; l < network_.depth(); ++l)
        widest = std::max(widest, network_.level(l).activation.width());
    const double small_error = questions_a_row / static_cast<double>(widest);
    double growth = 1;
    for (std::size_t l = network_.depth(); l-- > 0;) {
        options_.poll();
        const Level& level = network_.level(l);
        const double lipschitz = level.lipschitz();
        const double loss = gamma(level.map().terms()) * level.map().frobenius_norm() * lipschitz;
        if (extended_levels_ == 0 && !(loss * growth <= small_error)) extended_levels_ = l + 1;
        if (l > 0) growth_[l] = growth *= lipschitz * level.map().spectral_norm();
    }
}

// The whole line as one cell; the inputs are exact, so the first level's sums are the only error.
void Engine::start() {
    const AffineMap& map = network_.map(0);
    const std::size_t n = map.outputs();
    Partition& whole = partitions_[0];
    whole.clear();
    whole.vertices = {Vertex{}, Vertex{}};
    whole.vertices[1].t = 1;
    whole.parent = {0};
    whole.width = n;
    whole.rows.resize(2 * n);
    whole.speed = 0;
    std::vector<double> low(n);
    const std::vector<double> exact(map.inputs(), 0.0);
    for (std::size_t v = 0; v < 2; ++v) {
        const std::vector<double>& x = v == 0 ? line_.x0 : line_.x1;
        std::copy_n(map.bias(), n, whole.row(v));
        low.assign(n, 0.0);
        map.add_extended(x.data(), exact.data(), whole.row(v), low.data(),
                         workspace_.scratch.weights);
        const double norm = up(norm_bound(x.data(), x.size()) + 1);
        whole.norm.push_back(norm);
        whole.eps.push_back(0);
        whole.local.push_back(0);
        if (extended_levels_ > 0) {
            normalise(whole.row(v), low.data(), n);
            whole.lows.insert(whole.lows.end(), low.begin(), low.end());
            whole.rho.push_back(up(compensated(map.terms()) * norm));
        } else {
            add(low.data(), whole.row(v), n);
            whole.rho.push_back(up(4 * unit_roundoff * norm));
        }
        whole.speed += norm;  // |x1 - x0| <= |x0| + |x1|
    }
}

void Engine::descend(const Slice& slice) {
    options_.poll();
    if (slice.level == network_.depth())
        sink_.cells(partitions_, slice, predicates_);
    else
        refine(slice);
}

void Engine::refine(const Slice& slice) {
    Workspace::Level& work = workspace_.levels[slice.level];
    work.events.find(network_, partitions_, slice, predicates_);
    const std::size_t total = slice.cells() + work.events.points.size();
    const bool last = slice.level + 1 == network_.depth();
    if (last && sink_.need() == Need::number) {
        sink_.number(total);
        return;
    }
    const Rows rows = last && sink_.need() != Need::outputs ? Rows::none
                      : slice.level + 1 < extended_levels_  ? Rows::extended
                                                            : Rows::plain;
    const auto& live = slice.level == 0 ? no_neurons
                                        : workspace_.levels[slice.level - 1].refinement.active();
    work.refinement.prepare(network_, partitions_[slice.level], slice, work.events, live,
                            {rows, options_.certify, growth_[slice.level]}, workspace_.scratch);
    Partition& out = partitions_[slice.level + 1];
    const std::size_t chunks = (total + options_.chunk * 3 / 2 - 1) / (options_.chunk * 3 / 2);
    const std::size_t size = (total + chunks - 1) / chunks;
    for (std::size_t c = 0; c < slice.cells(); ++c) {
        if (c == 0 || out.cells() >= size) {
            if (c > 0) hand_on(slice.level + 1);
            work.refinement.begin(out, c, std::min(total, size * 3 / 2) + 1);
        }
        work.refinement.append(out, c);
    }
    hand_on(slice.level + 1);
}

// A cell with many events makes a chunk too long for one slice.
void Engine::hand_on(std::size_t level) {
    const std::size_t cells = partitions_[level].cells();
    const std::size_t most = options_.chunk * 3 / 2;
    const std::size_t slices = (cells + most - 1) / most;
    for (std::size_t i = 0; i < slices; ++i)
        descend({level, cells * i / slices, cells * (i + 1) / slices});
}

}  // namespace pyexpr
