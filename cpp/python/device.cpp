// For an engine that works on arrays, on a GPU or on the host: its kernels, and the tiers behind its
// filter.
#include <cstring>
#include <exception>
#include <map>
#include <string>
#include <tuple>

#include "bindings.hpp"
#include "kernels.hpp"
#include "pyexpr/referee.hpp"
#include "pyexpr/sinks.hpp"
#include "pyexpr/start.hpp"
#include "sources.hpp"

namespace pyexpr::python {
namespace {

static_assert(cuda::most_degree == most_degree);

using Words = py::array_t<Word, py::array::c_style>;

// What Python calls the type of a kernel's argument.
template <class T>
constexpr const char* name_of = nullptr;
template <>
constexpr const char* name_of<cuda::i64> = "int64";
template <>
constexpr const char* name_of<cuda::f64> = "float64";
template <>
constexpr const char* name_of<cuda::f64*> = "float64*";
template <>
constexpr const char* name_of<const cuda::f64*> = "const float64*";
template <>
constexpr const char* name_of<cuda::i64*> = "int64*";
template <>
constexpr const char* name_of<const cuda::i64*> = "const int64*";
template <>
constexpr const char* name_of<cuda::u64*> = "uint64*";
template <>
constexpr const char* name_of<const cuda::u64*> = "const uint64*";
template <>
constexpr const char* name_of<cuda::Byte*> = "uint8*";
template <>
constexpr const char* name_of<const cuda::Byte*> = "const uint8*";

struct Kernel {
    std::vector<std::string> arguments;  // their types
    void (*run)(const void* packed, cuda::i64 count);
};

template <auto kernel, class... Types>
Kernel describe(void (*)(cuda::i64, Types...)) {
    return {{name_of<Types>...}, [](const void* packed, cuda::i64 count) {
                cuda::Packed<Types...> arguments;
                std::memcpy(&arguments, packed, sizeof(arguments));
                for (cuda::i64 i = 0; i < count; ++i) cuda::call(kernel, i, arguments);
            }};
}

const std::map<std::string, Kernel>& kernels() {
#define PYEXPR_DESCRIBE(name) {#name, describe<&cuda::name>(&cuda::name)},
    static const std::map<std::string, Kernel> all{PYEXPR_FOR_EACH_KERNEL(PYEXPR_DESCRIBE)};
#undef PYEXPR_DESCRIBE
    return all;
}

// Arguments are eight bytes each, addresses for arrays: who packs them answers for what is there.
void run_kernel(const std::string& name, const Words& packed, cuda::i64 count) {
    const Kernel& kernel = kernels().at(name);
    if (packed.size() != static_cast<py::ssize_t>(kernel.arguments.size()))
        throw py::value_error("packed: expected an entry for each argument");
    const py::gil_scoped_release no_gil;
    kernel.run(packed.data(), count);
}

template <class To, class From>
std::vector<To> list_of(const py::array_t<From, py::array::c_style>& values) {
    return std::vector<To>(values.data(), values.data() + values.size());
}

// A partition's arrays, by their names.
struct Cells {
    std::shared_ptr<Partition> partition = std::make_shared<Partition>();

    explicit Cells(const py::dict& arrays) {
        Partition& p = *partition;
        const auto t = arrays["t"].cast<Doubles>(), tau = arrays["tau"].cast<Doubles>();
        const auto level = arrays["level"].cast<Integers>();
        const auto neuron = arrays["neuron"].cast<Integers>();
        const auto threshold = arrays["threshold"].cast<Integers>();
        const auto piece = arrays["piece"].cast<Integers>();
        const auto count = static_cast<std::size_t>(t.size());
        p.vertices.resize(count);
        for (std::size_t v = 0; v < count; ++v) {
            Vertex& vertex = p.vertices[v];
            vertex.t = t.data()[v];
            vertex.tau = tau.data()[v];
            vertex.level = static_cast<std::int32_t>(level.data()[v]);
            vertex.neuron = static_cast<std::int32_t>(neuron.data()[v]);
            vertex.threshold = static_cast<std::int32_t>(threshold.data()[v]);
            vertex.piece = static_cast<std::uint32_t>(piece.data()[v]);
        }
        const auto doubles = [&](const char* name) {
            return list_of<double>(arrays[name].cast<Doubles>());
        };
        p.eps = doubles("eps");
        p.local = doubles("local");
        p.rho = doubles("rho");
        p.norm = doubles("norm");
        const auto rows = arrays["rows"].cast<Doubles>();
        p.width = static_cast<std::size_t>(rows.shape(1));
        p.rows.assign(rows.data(), rows.data() + rows.size());
        if (const py::object lows = arrays["lows"]; !lows.is_none()) {
            const auto low = lows.cast<Doubles>();
            p.lows.assign(low.data(), low.data() + low.size());
        }
        p.letters = list_of<Word>(arrays["letters"].cast<Words>());
        p.parent = list_of<std::uint32_t>(arrays["parent"].cast<Integers>());
        p.letter_words = p.parent.empty() ? 0 : p.letters.size() / p.parent.size();
        p.speed = arrays["speed"].cast<double>();
        if (arrays.contains("weights")) read_curve(arrays);
        const std::size_t row_count = p.cells() * p.degree + 1;
        if (p.parent.size() + 1 != count || p.eps.size() != row_count ||
            p.rows.size() != row_count * p.width)
            throw py::value_error(
                "arrays: expected one cell fewer than vertices, and rows for each");
    }

private:
    void read_curve(const py::dict& arrays) {
        Partition& p = *partition;
        const auto root = arrays["root"].cast<Integers>();
        const auto low = arrays["low"].cast<Doubles>(), high = arrays["high"].cast<Doubles>();
        for (std::size_t v = 0; v < p.vertices.size(); ++v) {
            p.vertices[v].root = static_cast<std::int32_t>(root.data()[v]);
            p.vertices[v].low = low.data()[v];
            p.vertices[v].high = high.data()[v];
        }
        p.degree = arrays["degree"].cast<std::size_t>();
        p.weights = list_of<double>(arrays["weights"].cast<Doubles>());
        p.speeds = list_of<double>(arrays["speeds"].cast<Doubles>());
    }
};

// A curved piece before the first level, as the arrays of a partition.
py::dict start_curve(const Network& network, const Trajectory& trajectory, std::size_t piece) {
    if (piece >= trajectory.pieces.size() ||
        !std::holds_alternative<RationalBezier>(trajectory.pieces[piece]))
        throw py::value_error("piece: no such curve");
    Partition p;
    {
        const py::gil_scoped_release no_gil;
        Scratch scratch;
        start(network, trajectory, piece, piece + 1, false, p, scratch);
    }
    const auto rows = static_cast<py::ssize_t>(p.degree + 1);
    const auto width = static_cast<py::ssize_t>(p.width);
    py::dict out;
    out["rows"] = take(std::vector<double>(p.rows.begin(), p.rows.end()), {rows, width});
    out["t"] = take(std::vector<double>{p.vertices[0].t, p.vertices[1].t});
    out["w"] = take(std::vector<double>(p.w.c.begin(), p.w.c.begin() + rows));
    out["w_speed"] = p.w_speed;
    out["eps"] = take(std::move(p.eps));
    out["local"] = take(std::move(p.local));
    out["rho"] = take(std::move(p.rho));
    out["norm"] = take(std::move(p.norm));
    out["weights"] = take(std::move(p.weights));
    out["speeds"] = take(std::move(p.speeds));
    return out;
}

Partitions join(const std::vector<Cells>& levels) {
    Partitions out;
    for (const Cells& level : levels) out.add(level.partition);
    return out;
}

std::vector<Slice> blocks_of(std::size_t level, const Integers& first, const Integers& last) {
    std::vector<Slice> out;
    for (py::ssize_t i = 0; i < first.size(); ++i)
        out.push_back({level, static_cast<std::size_t>(first.data()[i]),
                       static_cast<std::size_t>(last.data()[i])});
    return out;
}

template <class Task>
auto without_gil(Task&& task) {
    const py::gil_scoped_release no_gil;
    return task();
}

// Raised as NotFinite(level, piece).
PyObject* not_finite = nullptr;

void translate_not_finite(std::exception_ptr raised) {
    try {
        if (raised) std::rethrow_exception(raised);
    } catch (const NotFinite& error) {
        PyErr_SetObject(not_finite, py::make_tuple(error.level, error.piece).ptr());
    }
}

py::dict settle(Referee& referee, const std::vector<Cells>& levels, const Integers& first,
                const Integers& last) {
    const Partitions partitions = join(levels);
    const std::size_t level = levels.size() - 1;
    const std::vector<Slice> blocks = blocks_of(level, first, last);
    const Signals signals;
    Settled found = without_gil([&] { return referee.settle(partitions, level, blocks, signals); });
    std::vector<double> t, tau, low, high;
    std::vector<std::int64_t> neuron, threshold, root;
    for (const Vertex& point : found.points) {
        t.push_back(point.t);
        tau.push_back(point.tau);
        neuron.push_back(point.neuron);
        threshold.push_back(point.threshold);
        root.push_back(point.root);
        low.push_back(point.low);
        high.push_back(point.high);
    }
    py::dict out;
    out["left"] = take(std::move(found.left));
    out["crossing"] = take(std::move(found.crossing));
    out["displacement"] = take(std::move(found.displacement));
    out["cell"] = as_integers(found.cell);
    out["t"] = take(std::move(t));
    out["tau"] = take(std::move(tau));
    out["neuron"] = take(std::move(neuron));
    out["threshold"] = take(std::move(threshold));
    out["root"] = take(std::move(root));
    out["low"] = take(std::move(low));
    out["high"] = take(std::move(high));
    out["point_displacement"] = take(std::move(found.point_displacement));
    out["event_neuron"] = as_integers(found.event_neuron);
    out["event_threshold"] = as_integers(found.event_threshold);
    out["event_point"] = as_integers(found.point);
    return out;
}

py::array bends(Referee& referee, const std::vector<Cells>& levels, const Integers& first,
                const Integers& last) {
    const Partitions partitions = join(levels);
    const std::vector<Slice> blocks = blocks_of(levels.size() - 1, first, last);
    const Signals signals;
    return take(without_gil([&] { return referee.bends(partitions, blocks, signals); }));
}

// A sink for cells in the order of the trajectory.
class Collector {
public:
    Collector(const Network& network, const Trajectory& trajectory, const std::string& what) {
        if (what == "activation")
            sink_ = std::make_unique<CountRegions>(network, trajectory);
        else if (what == "linear")
            sink_ = std::make_unique<CountPieces>(network, trajectory);
        else if (what == "patterns")
            sink_ = std::make_unique<CountPatterns>(network, trajectory);
        else if (what == "transitions")
            sink_ = std::make_unique<CountTransitions>(network, trajectory);
        else
            throw py::value_error("what: no such sink");
    }

    bool reads_outputs() const { return sink_->need() == Need::outputs; }
    void cells(Referee& referee, const std::vector<Cells>& levels) {
        const Partitions partitions = join(levels);
        const std::size_t level = levels.size() - 1, count = partitions[level].cells();
        without_gil([&] { sink_->cells(partitions, {level, 0, count}, referee); });
    }
    // (what was counted, certificate of the last decision)
    py::tuple finish() {
        const Certificate certificate = sink_->finish();
        return py::make_tuple(counts(), as_tuple(certificate));
    }

private:
    py::object counts() {
        if (auto* transitions = dynamic_cast<CountTransitions*>(sink_.get()))
            return take(std::move(transitions->counts));
        std::int64_t count = 0;
        if (const auto* regions = dynamic_cast<const CountRegions*>(sink_.get()))
            count = regions->count();
        else if (const auto* patterns = dynamic_cast<const CountPatterns*>(sink_.get()))
            count = patterns->count();
        else
            count = dynamic_cast<const CountPieces&>(*sink_).count();
        return py::int_(count);
    }

    std::unique_ptr<Sink> sink_;
};

}  // namespace

void register_device(py::module_& module) {
    py::dict all;
    for (const auto& [name, kernel] : kernels())
        all[py::str(name)] = py::tuple(py::cast(kernel.arguments));
    module.attr("kernels") = all;
    not_finite = PyErr_NewException("pyexpr._core.NotFinite", PyExc_ArithmeticError, nullptr);
    module.attr("NotFinite") = py::handle(not_finite);
    py::register_exception_translator(translate_not_finite);
    module.attr("kernel_source") = kernel_source;
    module.def("run_kernel", &run_kernel, py::arg("name"), py::arg("packed"), py::arg("count"));
    py::class_<Cells>(module, "Cells", "A partition.")
        .def(py::init<const py::dict&>(), py::arg("arrays"));
    module.def("start_curve", &start_curve, py::arg("network"), py::arg("trajectory"),
               py::arg("piece"));
    const auto levels = py::arg("levels"), first = py::arg("first"), last = py::arg("last");
    py::class_<Referee>(module, "Referee", "The tiers behind the filter.")
        .def(py::init<const Network&, const Trajectory&, std::size_t>(), py::arg("network"),
             py::arg("trajectory"), py::arg("threads"), py::keep_alive<1, 2>(),
             py::keep_alive<1, 3>())
        .def("settle", &settle, levels, first, last)
        .def("bends", &bends, levels, first, last)
        .def("take_certificate",
             [](Referee& referee) { return as_tuple(referee.take_certificate()); });
    py::class_<Collector>(module, "Collector", "A sink.")
        .def(py::init<const Network&, const Trajectory&, const std::string&>(), py::arg("network"),
             py::arg("trajectory"), py::arg("what"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>())
        .def_property_readonly("reads_outputs", &Collector::reads_outputs)
        .def("cells", &Collector::cells, py::arg("referee"), levels)
        .def("finish", &Collector::finish);
}

}  // namespace pyexpr::python
