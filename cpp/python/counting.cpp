#include <chrono>
#include <string>

#include "bindings.hpp"

namespace pyexpr::python {
namespace {

// Lets signal handlers run now and then; throws if one of them raised.
class Signals {
public:
    void operator()() {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_) return;
        py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        next_ = std::chrono::steady_clock::now() + interval;
    }

private:
    static constexpr std::chrono::milliseconds interval{50};
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + interval;
};

constexpr std::size_t most_bytes_kept = std::size_t{64} << 20;

std::vector<double> point(const char* name, const Doubles& x, const Network& network) {
    if (x.ndim() != 1 || static_cast<std::size_t>(x.size()) != network.inputs())
        throw py::value_error(std::string(name) + ": expected shape (" +
                              std::to_string(network.inputs()) + ",)");
    return {x.data(), x.data() + x.size()};
}

template <class CountingSink>
std::int64_t count(CountingSink sink, const Network& network, const Doubles& x0,
                   const Doubles& x1) {
    run(network, x0, x1, sink);
    return sink.count;
}

}  // namespace

void run(const Network& network, const Doubles& x0, const Doubles& x1, Sink& sink) {
    const Line line{point("x0", x0, network), point("x1", x1, network)};
    const py::gil_scoped_release no_gil;
    // Kept for the next call: fresh memory costs as much as a small network's count.
    // Taken out meanwhile, since a signal handler may count, too.
    static thread_local Workspace kept;
    Workspace workspace = std::exchange(kept, {});
    Engine(network, line, sink, workspace, {.poll = Signals()}).run();
    if (workspace.bytes() <= most_bytes_kept) kept = std::move(workspace);
}

void register_counting(py::module_& module) {
    const auto network = py::arg("network");
    const auto x0 = py::arg("x0"), x1 = py::arg("x1");
    module.def(
        "count_activation_regions",
        [](const Network& net, const Doubles& a, const Doubles& b) {
            return count(CountCells(), net, a, b);
        },
        network, x0, x1);
    module.def(
        "count_linear_regions",
        [](const Network& net, const Doubles& a, const Doubles& b) {
            return count(CountPieces(net), net, a, b);
        },
        network, x0, x1);
    module.def(
        "count_transitions",
        [](const Network& net, const Doubles& a, const Doubles& b) {
            CountTransitions sink(net);
            run(net, a, b, sink);
            return take(std::move(sink.counts));
        },
        network, x0, x1);
}

}  // namespace pyexpr::python
