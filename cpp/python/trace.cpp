#include <algorithm>
#include <atomic>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <exception>
#include <iterator>
#include <limits>
#include <utility>

#include "bindings.hpp"
#include "pyexpr/exact.hpp"

namespace pyexpr::python {
namespace {

// What a trace has gathered is more than it may.
struct TraceTooLarge : std::exception {
    const char* what() const noexcept override { return "trace: too large"; }
};

// Numpy arrays over what the sink gathered.
struct TraceArrays {
    py::array t, piece, bends, first_pattern, transitions;
    py::tuple certificate;
};

// What has been found, which the sink gives up.
TraceArrays take_arrays(Trace& sink) {
    const auto breakpoints = static_cast<py::ssize_t>(sink.breakpoints.size());
    return {take(std::exchange(sink.breakpoints, {})),
            take(std::exchange(sink.pieces, {})),
            take(std::exchange(sink.bends, {}), {breakpoints}, py::dtype::of<bool>()),
            take(std::exchange(sink.first_pattern, {})),
            take(std::exchange(sink.transitions, {})),
            py::tuple()};
}

TraceArrays trace(const Network& network, const Trajectory& trajectory, std::size_t threads,
                  const py::object& progress, std::size_t most_bytes) {
    std::atomic<std::size_t> bytes = 0;
    Trace sink(network, trajectory, [&](Trace& part) {
        const std::size_t before = std::exchange(part.noted_bytes, part.bytes());
        if ((bytes += part.noted_bytes - before) > most_bytes) throw TraceTooLarge();
    });
    const Certificate certificate = run(network, trajectory, sink, {progress, threads});
    TraceArrays out = take_arrays(sink);
    out.certificate = as_tuple(certificate);
    return out;
}

// Calls `emit` with a Trace of at least `block` breakpoints again and again, and of the rest. A
// transition's breakpoint is counted from the block's first one; only the first block has the
// first pattern.
py::tuple stream(const Network& network, const Trajectory& trajectory, std::size_t block,
                 const py::object& emit, const py::object& progress) {
    Trace sink(network, trajectory, [&](Trace& part) {
        if (part.breakpoints.size() < block) return;
        const py::gil_scoped_acquire gil;
        emit(take_arrays(part));
    });
    const Certificate certificate = run(network, trajectory, sink, {progress});
    emit(take_arrays(sink));
    return as_tuple(certificate);
}

py::int_ as_python(const Integer& value) {
    std::string bytes;
    export_bits(Integer(abs(value)), std::back_inserter(bytes), 8);
    const py::object type = py::type::of(py::int_());
    const py::int_ magnitude = type.attr("from_bytes")(py::bytes(bytes), "big");
    return value < 0 ? py::int_(magnitude.attr("__neg__")()) : magnitude;
}

using Letters = py::array_t<std::int16_t, py::array::c_style>;

// Rows of bits for all levels.
class LetterRows {
public:
    explicit LetterRows(const Network& network) : network_(network) {
        for (std::size_t l = 0; l < network.depth(); ++l) {
            const Activation& phi = network.level(l).activation;
            rows_.emplace_back(phi.thresholds() * phi.words(), 0);
        }
    }

    // Puts a neuron on a piece, or lets a window's entry win. Differences that this does not depend
    // on stay as they are.
    void set(const Layer& layer, std::size_t neuron, std::size_t letter) {
        if (const auto* pooling = std::get_if<Pooling>(&layer)) {
            for (std::size_t r = 0; r < pooling->rounds.size(); ++r)
                if (const auto q = compared(pooling->rounds[r], r, neuron, letter);
                    q >= 0 && (letter >> r & 1) != 0)
                    set_bit(rows_[pooling->rounds[r].level].data(), static_cast<std::size_t>(q));
            return;
        }
        const std::size_t l = std::get<Elementwise>(layer).level;
        const Activation& phi = network_.level(l).activation;
        for (std::size_t k = 0; k < std::min(phi.thresholds(), letter); ++k)
            set_bit(&rows_[l][k * phi.words()], neuron);
    }

    Pattern pattern(std::size_t levels) const {
        Pattern out;
        for (std::size_t l = 0; l < levels; ++l) out.push_back(rows_[l].data());
        return out;
    }

    // Which neuron compares a window's slot with its neighbour in round r.
    static std::int32_t compared(const Round& round, std::size_t r, std::size_t window,
                                 std::size_t slot) {
        return round.neuron[window * round.slots + (slot >> (r + 1))];
    }

private:
    const Network& network_;
    std::vector<std::vector<Word>> rows_;
};

// The polynomial in a piece's parameter, a list of integers, that changes its sign where the neuron
// goes from one letter to another, all letters of earlier layers being as given: coefficients of 1
// and t on a line, and of the Bernstein polynomials on a curve.
py::list exact_polynomial(const Network& network, const Piece& piece, const Letters& letters,
                          std::size_t layer, std::size_t neuron, std::size_t before,
                          std::size_t after) {
    if (letters.ndim() != 1 || static_cast<std::size_t>(letters.size()) != network.neurons())
        throw py::value_error("letters: expected shape (neurons,)");
    if (layer >= network.layers().size() || neuron >= width(network, network.layers()[layer]) ||
        before == after)
        throw py::index_error("layer, neuron, before, after: no such transition");
    LetterRows rows(network);
    const std::int16_t* given = letters.data();
    for (std::size_t i = 0; i < layer; ++i)
        for (std::size_t q = 0; q < width(network, network.layers()[i]); ++q)
            rows.set(network.layers()[i], q, static_cast<std::size_t>(*given++));

    const Layer& here = network.layers()[layer];
    std::size_t level, q = neuron, threshold = std::min(before, after);
    if (const auto* pooling = std::get_if<Pooling>(&here)) {
        // Where the two slots' ways up the tree meet, they are compared.
        const auto r = static_cast<std::size_t>(std::bit_width(before ^ after)) - 1;
        if (r >= pooling->rounds.size()) throw py::index_error("before, after: no such slots");
        const Round& round = pooling->rounds[r];
        const std::int32_t comparing = LetterRows::compared(round, r, neuron, before);
        if (comparing < 0) throw py::index_error("before, after: not both in the window");
        rows.set(here, neuron, before);
        rows.set(here, neuron, after);
        level = round.level;
        q = static_cast<std::size_t>(comparing);
        threshold = 0;
    } else {
        level = std::get<Elementwise>(here).level;
        if (threshold >= network.level(level).activation.thresholds())
            throw py::index_error("before, after: no such letters");
    }
    Signals signals;
    ExactNetwork exact(network, piece, signals);
    exact.set_pattern(rows.pattern(level));
    py::list out;
    for (const Integer& c : exact.margin(level, q, threshold)) out.append(as_python(c));
    return out;
}

}  // namespace

void register_trace(py::module_& module) {
    PYBIND11_NUMPY_DTYPE(Transition, breakpoint, layer, neuron, before, after);
    py::class_<TraceArrays>(module, "Trace", "Everything that happens along a line.")
        .def_readonly("t", &TraceArrays::t)
        .def_readonly("piece", &TraceArrays::piece)
        .def_readonly("bends", &TraceArrays::bends)
        .def_readonly("first_pattern", &TraceArrays::first_pattern)
        .def_readonly("transitions", &TraceArrays::transitions)
        .def_readonly("certificate", &TraceArrays::certificate);
    const auto network = py::arg("network");
    py::register_exception<TraceTooLarge>(module, "TraceTooLarge", PyExc_MemoryError);
    module.def("trace", &trace, network, py::arg("trajectory"), py::arg("threads") = 1,
               py::arg("progress") = py::none(),
               py::arg("most_bytes") = std::numeric_limits<std::size_t>::max());
    module.def("stream", &stream, network, py::arg("trajectory"), py::arg("block"), py::arg("emit"),
               py::arg("progress") = py::none());
    module.def("exact_polynomial", &exact_polynomial, network, py::arg("piece"), py::arg("letters"),
               py::arg("layer"), py::arg("neuron"), py::arg("before"), py::arg("after"));
}

}  // namespace pyexpr::python
