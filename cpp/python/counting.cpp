#include <algorithm>
#include <string>

#include "bindings.hpp"

namespace pyexpr::python {
namespace {

constexpr std::size_t most_bytes_kept = std::size_t{64} << 20;

std::vector<double> point(const char* name, const Doubles& x, const Network& network) {
    if (x.ndim() != 1 || static_cast<std::size_t>(x.size()) != network.inputs())
        throw py::value_error(std::string(name) + ": expected shape (" +
                              std::to_string(network.inputs()) + ",)");
    return {x.data(), x.data() + x.size()};
}

// The first layer that needs this level, or the output's number.
std::size_t layer_at(const Network& network, std::size_t level) {
    const auto last_level = [](const Layer& layer) {
        if (const auto* pooling = std::get_if<Pooling>(&layer)) return pooling->rounds.back().level;
        return std::get<Elementwise>(layer).level;
    };
    const auto& layers = network.layers();
    return static_cast<std::size_t>(
        std::find_if(layers.begin(), layers.end(),
                     [&](const Layer& layer) { return last_level(layer) >= level; }) -
        layers.begin());
}

// (count, certificate)
template <class CountingSink>
py::tuple count(CountingSink sink, const Network& network, const Doubles& x0, const Doubles& x1,
                bool certify) {
    const Certificate certificate = run(network, x0, x1, sink, certify);
    return py::make_tuple(sink.count, as_tuple(certificate));
}

}  // namespace

Line line(const Network& network, const Doubles& x0, const Doubles& x1) {
    return {point("x0", x0, network), point("x1", x1, network)};
}

Certificate run(const Network& network, const Doubles& x0, const Doubles& x1, Sink& sink,
                bool certify) {
    const Line segment = line(network, x0, x1);
    const py::gil_scoped_release no_gil;
    // Kept for the next call: fresh memory costs as much as a small network's count.
    // Taken out meanwhile, since a signal handler may count, too.
    static thread_local Workspace kept;
    Workspace workspace = std::exchange(kept, {});
    Engine engine(network, segment, sink, workspace, {.poll = Signals(), .certify = certify});
    try {
        engine.run();
    } catch (const NotFinite& error) {
        throw Overflow{layer_at(network, error.level)};
    }
    const Certificate certificate = engine.certificate();
    if (workspace.bytes() <= most_bytes_kept) kept = std::move(workspace);
    return certificate;
}

py::tuple as_tuple(const Certificate& certificate) {
    const auto row = [](const Tally& tally) {
        return py::make_tuple(tally.asked, tally.proportional, tally.adjoint, tally.extended,
                              tally.exact, tally.gap);
    };
    return py::make_tuple(row(certificate.signs), row(certificate.orders), row(certificate.slopes),
                          row(certificate.positions));
}

void register_counting(py::module_& module) {
    const auto network = py::arg("network");
    const auto x0 = py::arg("x0"), x1 = py::arg("x1");
    module.def(
        "count_activation_regions",
        [](const Network& net, const Doubles& a, const Doubles& b, bool certify) {
            return count(CountRegions(net), net, a, b, certify);
        },
        network, x0, x1, py::arg("certify") = true);
    module.def(
        "count_linear_regions",
        [](const Network& net, const Doubles& a, const Doubles& b) {
            return count(CountPieces(net), net, a, b, true);
        },
        network, x0, x1);
    module.def(
        "count_transitions",
        [](const Network& net, const Doubles& a, const Doubles& b) {
            CountTransitions sink(net);
            const Certificate certificate = run(net, a, b, sink);
            return py::make_tuple(take(std::move(sink.counts)), as_tuple(certificate));
        },
        network, x0, x1);
}

}  // namespace pyexpr::python
