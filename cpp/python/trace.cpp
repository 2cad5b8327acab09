#include "bindings.hpp"

namespace pyexpr::python {
namespace {

// Numpy arrays over what the sink gathered.
struct TraceArrays {
    py::array t, bends, first_pattern, transitions;
};

TraceArrays trace(const Network& network, const Doubles& x0, const Doubles& x1) {
    Trace sink(network);
    run(network, x0, x1, sink);
    const auto breakpoints = static_cast<py::ssize_t>(sink.breakpoints.size());
    return {take(std::move(sink.breakpoints)),
            take(std::move(sink.bends), {breakpoints}, py::dtype::of<bool>()),
            take(std::move(sink.first_pattern)), take(std::move(sink.transitions))};
}

}  // namespace

void register_trace(py::module_& module) {
    PYBIND11_NUMPY_DTYPE_EX(Transition, breakpoint, "breakpoint", level, "layer", neuron, "neuron",
                            before, "before", after, "after");
    py::class_<TraceArrays>(module, "Trace", "Everything that happens along a line.")
        .def_readonly("t", &TraceArrays::t)
        .def_readonly("bends", &TraceArrays::bends)
        .def_readonly("first_pattern", &TraceArrays::first_pattern)
        .def_readonly("transitions", &TraceArrays::transitions);
    module.def("trace", &trace, py::arg("network"), py::arg("x0"), py::arg("x1"));
}

}  // namespace pyexpr::python
