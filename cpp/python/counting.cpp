#include <algorithm>
#include <numeric>
#include <string>

#include "bindings.hpp"
#include "pyexpr/batch.hpp"

namespace pyexpr::python {
namespace {

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
py::tuple count(const Network& network, const Trajectory& trajectory, std::size_t threads,
                const py::object& progress, bool certify = true) {
    CountingSink sink(network, trajectory);
    const Certificate certificate = run(network, trajectory, sink, {progress, threads, certify});
    return py::make_tuple(sink.count(), as_tuple(certificate));
}

// Kept from one call to the next.
Workspaces& workspaces() {
    static Workspaces kept;
    return kept;
}

// Runs `task` without the GIL; overflows are told by layer, and for a batch by line.
template <class Task>
Certificate without_gil(const Network& network, std::optional<std::size_t> first_line,
                        Task&& task) {
    const py::gil_scoped_release no_gil;
    try {
        return task();
    } catch (const NotFinite& error) {
        throw Overflow{layer_at(network, error.level),
                       first_line ? std::optional(*first_line + error.piece) : std::nullopt};
    }
}

// The segments from row starts[i] of x0 to row ends[i] of x1. For each, the number of regions, or
// transitions of the neurons edges[c] .. edges[c + 1] - 1 together: [lines, columns].
py::tuple count_lines(const Network& network, const std::string& what, const Doubles& x0,
                      const Integers& starts, const Doubles& x1, const Integers& ends,
                      const Integers& edges, std::size_t first, std::size_t threads,
                      const py::object& progress) {
    for (const Doubles* x : {&x0, &x1})
        if (x->ndim() != 2 || static_cast<std::size_t>(x->shape(1)) != network.inputs())
            throw py::value_error("x0, x1: expected shape (points, inputs)");
    if (starts.ndim() != 1 || ends.ndim() != 1 || starts.size() != ends.size() ||
        edges.ndim() != 1 || edges.size() < 1)
        throw py::value_error("starts, ends, edges: expected vectors");
    for (const auto& [at, x] : {std::pair(&starts, &x0), std::pair(&ends, &x1)})
        for (py::ssize_t i = 0; i < at->size(); ++i)
            if (at->data()[i] < 0 || at->data()[i] >= x->shape(0))
                throw py::index_error("starts, ends: no such row");
    for (py::ssize_t i = 0; i < edges.size(); ++i)
        if (edges.data()[i] < 0 || edges.data()[i] > static_cast<std::int64_t>(network.neurons()) ||
            (i > 0 && edges.data()[i] < edges.data()[i - 1]))
            throw py::index_error("edges: no such neurons");
    const auto count = static_cast<std::size_t>(starts.size());
    const auto columns = static_cast<std::size_t>(what == "transitions" ? edges.size() - 1 : 1);
    std::vector<std::int64_t> counts(count * columns);
    MakeSink make_sink;
    Report report;
    if (what == "activation") {
        make_sink = [&](const Trajectory& line) {
            return std::make_unique<CountRegions>(network, line);
        };
        report = [&](std::size_t i, const Sink& sink) {
            counts[i] = static_cast<const CountRegions&>(sink).count();
        };
    } else if (what == "linear") {
        make_sink = [&](const Trajectory& line) {
            return std::make_unique<CountPieces>(network, line);
        };
        report = [&](std::size_t i, const Sink& sink) {
            counts[i] = static_cast<const CountPieces&>(sink).count();
        };
    } else if (what == "transitions") {
        make_sink = [&](const Trajectory& line) {
            return std::make_unique<CountTransitions>(network, line);
        };
        report = [&](std::size_t i, const Sink& sink) {
            const auto& found = static_cast<const CountTransitions&>(sink).counts;
            for (std::size_t c = 0; c < columns; ++c)
                counts[i * columns + c] = std::accumulate(found.begin() + edges.data()[c],
                                                          found.begin() + edges.data()[c + 1],
                                                          std::int64_t{0});
        };
    } else {
        throw py::value_error("what: expected activation, linear or transitions");
    }
    const Lines lines = [&](std::size_t i) {
        return Line{row(x0, starts.data()[i]), row(x1, ends.data()[i]), nullptr};
    };
    std::atomic<double> done = 0;
    const Signals signals(progress, &done);
    const Certificate certificate = without_gil(network, first, [&] {
        return run_lines(network, count, lines, make_sink, report, workspaces(),
                         {.threads = threads, .poll = signals, .done = &done});
    });
    return py::make_tuple(take(std::move(counts), {starts.size(), py::ssize_t(columns)}),
                          as_tuple(certificate));
}

}  // namespace

Certificate run(const Network& network, const Trajectory& trajectory, Sink& sink,
                const Call& call) {
    for (const Piece& piece : trajectory.pieces)
        if (dimension(piece) != network.inputs())
            throw py::value_error("trajectory: its points are not of the network's inputs");
    std::atomic<double> done = 0;
    const Signals signals(call.progress, &done);
    return without_gil(network, std::nullopt, [&] {
        return run(
            network, trajectory, sink, workspaces(),
            {.threads = call.threads, .poll = signals, .done = &done, .certify = call.certify});
    });
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
    const auto threads = py::arg("threads") = 1, progress = py::arg("progress") = py::none();
    module.def("count_activation_regions", &count<CountRegions>, network, trajectory, threads,
               progress, py::arg("certify") = true);
    const auto def_count = [&]<class CountingSink>(const char* name) {
        module.def(
            name,
            [](const Network& net, const Trajectory& curve, std::size_t most,
               const py::object& callback) {
                return count<CountingSink>(net, curve, most, callback);
            },
            network, trajectory, threads, progress);
    };
    def_count.template operator()<CountPieces>("count_linear_regions");
    def_count.template operator()<CountPatterns>("count_patterns");
    module.def(
        "count_transitions",
        [](const Network& net, const Trajectory& curve, std::size_t most,
           const py::object& callback) {
            CountTransitions sink(net, curve);
            const Certificate certificate = run(net, curve, sink, {callback, most});
            return py::make_tuple(take(std::move(sink.counts)), as_tuple(certificate));
        },
        network, trajectory, threads, progress);
    module.def("count_lines", &count_lines, network, py::arg("what"), py::arg("x0"),
               py::arg("starts"), py::arg("x1"), py::arg("ends"), py::arg("edges"),
               py::arg("first") = 0, threads, progress);
}

}  // namespace pyexpr::python
