#include <pybind11/stl.h>

#include <string>
#include <tuple>

#include "bindings.hpp"

namespace pyexpr::python {
namespace {

using LayerArrays = std::tuple<Doubles, Doubles>;
using ActivationArrays = std::tuple<Doubles, Doubles, double>;

void require(bool condition, const std::string& message) {
    if (!condition) throw py::value_error(message);
}

DenseMap dense_map(const LayerArrays& layer) {
    const auto& [weight, bias] = layer;
    require(weight.ndim() == 2 && bias.ndim() == 1 && weight.shape(0) == bias.shape(0) &&
                weight.size() > 0,
            "layers: expected (weight [out, in], bias [out])");
    return {static_cast<std::size_t>(weight.shape(1)), static_cast<std::size_t>(weight.shape(0)),
            weight.data(), bias.data()};
}

// Python has a neuron's slopes side by side, the core a piece's.
Activation activation(const ActivationArrays& arrays, std::size_t width) {
    const auto& [breakpoints, slopes, value] = arrays;
    const auto n = static_cast<py::ssize_t>(width), pieces = breakpoints.size() + 1;
    require(breakpoints.ndim() == 1 && pieces >= 2 && slopes.ndim() == 2 &&
                slopes.shape(0) == pieces && slopes.shape(1) == n,
            "activations: expected (breakpoints [K], slopes [K + 1, n], value)");
    return {width,
            {breakpoints.data(), breakpoints.data() + breakpoints.size()},
            {slopes.data(), slopes.data() + slopes.size()},
            value};
}

std::shared_ptr<Network> make_network(const std::vector<LayerArrays>& layers,
                                      const std::vector<ActivationArrays>& activations) {
    require(!layers.empty() && activations.size() + 1 == layers.size(),
            "activations: expected one fewer than layers");
    std::vector<DenseMap> maps;
    for (const LayerArrays& layer : layers) {
        maps.push_back(dense_map(layer));
        require(maps.size() == 1 || maps.back().inputs() == maps[maps.size() - 2].outputs(),
                "layers: a layer's inputs must be the outputs of the one before");
    }
    std::vector<Level> levels;
    for (std::size_t l = 0; l < activations.size(); ++l) {
        const std::size_t width = maps[l].outputs();
        levels.push_back({std::move(maps[l]), activation(activations[l], width)});
    }
    return std::make_shared<Network>(std::move(levels), std::move(maps.back()));
}

const DenseMap& map_at(const Network& network, std::size_t i) {
    if (i > network.depth()) throw py::index_error("i: no such layer");
    return network.map(i);
}

py::array read_only_view(std::vector<py::ssize_t> shape, std::vector<py::ssize_t> strides,
                         const double* data, const py::object& owner) {
    py::array out(py::dtype::of<double>(), std::move(shape), std::move(strides), data, owner);
    out.attr("flags").attr("writeable") = false;
    return out;
}

py::array weight(const py::object& self, std::size_t i) {
    const DenseMap& map = map_at(self.cast<const Network&>(), i);
    const auto in = static_cast<py::ssize_t>(map.inputs());
    const auto out = static_cast<py::ssize_t>(map.outputs());
    const py::ssize_t item = sizeof(double);
    return read_only_view({out, in}, {item, out * item}, map.columns(), self);
}

py::array bias(const py::object& self, std::size_t i) {
    const DenseMap& map = map_at(self.cast<const Network&>(), i);
    const auto out = static_cast<py::ssize_t>(map.outputs());
    return read_only_view({out}, {sizeof(double)}, map.bias(), self);
}

}  // namespace

void register_network(py::module_& module) {
    py::class_<Network, std::shared_ptr<Network>>(module, "Network",
                                                  "Dense layers with activations between them.")
        .def(py::init(&make_network), py::arg("layers"), py::arg("activations"))
        .def("weight", &weight, py::arg("i"))
        .def("bias", &bias, py::arg("i"));
}

}  // namespace pyexpr::python
