#include <algorithm>
#include <string>

#include "bindings.hpp"

namespace pyexpr::python {
namespace {

constexpr std::size_t most_bytes_kept = std::size_t{64} << 20;

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
py::tuple count(const Network& network, const Trajectory& trajectory, const py::object& progress,
                bool certify = true) {
    CountingSink sink(network, trajectory);
    const Certificate certificate = run(network, trajectory, sink, progress, certify);
    return py::make_tuple(sink.count(), as_tuple(certificate));
}

}  // namespace

Certificate run(const Network& network, const Trajectory& trajectory, Sink& sink,
                const py::object& progress, bool certify) {
    for (const Piece& piece : trajectory.pieces)
        if (dimension(piece) != network.inputs())
            throw py::value_error("trajectory: its points are not of the network's inputs");
    double done = 0;
    const Signals signals(progress, &done);
    const py::gil_scoped_release no_gil;
    // Kept for the next call: fresh memory costs as much as a small network's count.
    // Taken out meanwhile, since a signal handler may count, too.
    static thread_local Workspace kept;
    Workspace workspace = std::exchange(kept, {});
    try {
        const Certificate certificate = run(network, trajectory, sink, workspace,
                                            {.poll = signals, .done = &done, .certify = certify});
        if (workspace.bytes() <= most_bytes_kept) kept = std::move(workspace);
        return certificate;
    } catch (const NotFinite& error) {
        throw Overflow{layer_at(network, error.level)};
    }
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
    const auto network = py::arg("network"), trajectory = py::arg("trajectory");
    const auto progress = py::arg("progress") = py::none();
    module.def("count_activation_regions", &count<CountRegions>, network, trajectory, progress,
               py::arg("certify") = true);
    module.def(
        "count_linear_regions",
        [](const Network& net, const Trajectory& curve, const py::object& callback) {
            return count<CountPieces>(net, curve, callback);
        },
        network, trajectory, progress);
    module.def(
        "count_patterns",
        [](const Network& net, const Trajectory& curve, const py::object& callback) {
            return count<CountPatterns>(net, curve, callback);
        },
        network, trajectory, progress);
    module.def(
        "count_transitions",
        [](const Network& net, const Trajectory& curve, const py::object& callback) {
            CountTransitions sink(net, curve);
            const Certificate certificate = run(net, curve, sink, callback);
            return py::make_tuple(take(std::move(sink.counts)), as_tuple(certificate));
        },
        network, trajectory, progress);
}

}  // namespace pyexpr::python
