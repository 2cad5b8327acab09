#include <boost/multiprecision/cpp_int.hpp>
#include <iterator>

#include "bindings.hpp"
#include "pyexpr/exact.hpp"

namespace pyexpr::python {
namespace {

// Numpy arrays over what the sink gathered.
struct TraceArrays {
    py::array t, bends, first_pattern, transitions;
    py::tuple certificate;
};

TraceArrays trace(const Network& network, const Doubles& x0, const Doubles& x1) {
    Trace sink(network);
    const Certificate certificate = run(network, x0, x1, sink);
    const auto breakpoints = static_cast<py::ssize_t>(sink.breakpoints.size());
    return {take(std::move(sink.breakpoints)),
            take(std::move(sink.bends), {breakpoints}, py::dtype::of<bool>()),
            take(std::move(sink.first_pattern)), take(std::move(sink.transitions)),
            as_tuple(certificate)};
}

py::int_ as_python(const Integer& value) {
    std::string bytes;
    export_bits(Integer(abs(value)), std::back_inserter(bytes), 8);
    const py::object type = py::type::of(py::int_());
    const py::int_ magnitude = type.attr("from_bytes")(py::bytes(bytes), "big");
    return value < 0 ? py::int_(magnitude.attr("__neg__")()) : magnitude;
}

using Letters = py::array_t<std::int8_t, py::array::c_style | py::array::forcecast>;

// The pieces that the first `levels` levels' neurons are on, as rows of bits a threshold.
std::vector<std::vector<Word>> letter_rows(const Network& network, const Letters& pieces,
                                           std::size_t levels) {
    if (pieces.ndim() != 1 || static_cast<std::size_t>(pieces.size()) != network.neurons())
        throw py::value_error("pieces: expected shape (neurons,)");
    std::vector<std::vector<Word>> out;
    const std::int8_t* piece = pieces.data();
    for (std::size_t l = 0; l < levels; ++l) {
        const Activation& phi = network.level(l).activation;
        out.emplace_back(phi.thresholds() * phi.words(), 0);
        for (std::size_t q = 0; q < phi.width(); ++q, ++piece)
            for (std::size_t k = 0; k < phi.thresholds() && static_cast<int>(k) < *piece; ++k)
                set_bit(&out.back()[k * phi.words()], q);
    }
    return out;
}

// (numerator, denominator) of the t where a neuron meets a threshold, all letters before its level
// being as they are in `pieces`.
py::tuple exact_breakpoint(const Network& network, const Doubles& x0, const Doubles& x1,
                           const Letters& pieces, std::size_t level, std::size_t neuron,
                           std::size_t threshold) {
    if (level >= network.depth()) throw py::index_error("level: no such level");
    const Activation& phi = network.level(level).activation;
    if (neuron >= phi.width() || threshold >= phi.thresholds())
        throw py::index_error("neuron, threshold: not on this level");
    const std::vector<std::vector<Word>> rows = letter_rows(network, pieces, level);
    Pattern pattern;
    for (const std::vector<Word>& row : rows) pattern.push_back(row.data());
    Signals signals;
    ExactLine exact(network, line(network, x0, x1), signals);
    exact.set_pattern(pattern);
    const Affine<Integer> f = exact.margin(level, neuron, threshold);
    return py::make_tuple(as_python(-f.a), as_python(f.b));
}

}  // namespace

void register_trace(py::module_& module) {
    PYBIND11_NUMPY_DTYPE_EX(Transition, breakpoint, "breakpoint", level, "layer", neuron, "neuron",
                            before, "before", after, "after");
    py::class_<TraceArrays>(module, "Trace", "Everything that happens along a line.")
        .def_readonly("t", &TraceArrays::t)
        .def_readonly("bends", &TraceArrays::bends)
        .def_readonly("first_pattern", &TraceArrays::first_pattern)
        .def_readonly("transitions", &TraceArrays::transitions)
        .def_readonly("certificate", &TraceArrays::certificate);
    const auto network = py::arg("network"), x0 = py::arg("x0"), x1 = py::arg("x1");
    module.def("trace", &trace, network, x0, x1);
    module.def("exact_breakpoint", &exact_breakpoint, network, x0, x1, py::arg("pieces"),
               py::arg("level"), py::arg("neuron"), py::arg("threshold"));
}

}  // namespace pyexpr::python
