#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>
#include <tuple>
#include <utility>
#include <variant>

#include "bindings.hpp"
#include "pyexpr/plan.hpp"

namespace pyexpr::python {
namespace {

using ActivationArrays = std::tuple<Doubles, Doubles, double>;
using Two = std::array<std::size_t, 2>;

// Whether so many entries have numbers of 32 bits, as neurons have and BLAS's sizes.
bool fits(std::initializer_list<std::size_t> factors) {
    double product = 1;
    for (const std::size_t factor : factors) product *= static_cast<double>(factor);
    return product < 0x1p31;
}

Dense dense(const Doubles& weight) {
    require(weight.ndim() == 2 && weight.size() > 0, "weight: expected [out, in]");
    return {static_cast<std::size_t>(weight.shape(1)), static_cast<std::size_t>(weight.shape(0)),
            weight.data()};
}

// pads: top, left, bottom, right.
Convolution convolution(const Doubles& kernel, const Two& size, const Two& strides,
                        const std::array<std::size_t, 4>& pads, const Two& dilations,
                        std::size_t groups) {
    require(kernel.ndim() == 4 && kernel.size() > 0,
            "kernel: expected [channels out, channels in / groups, height, width]");
    const auto extent = [&](int axis) { return static_cast<std::size_t>(kernel.shape(axis)); };
    const ConvolutionShape shape{
        extent(1) * groups, size[0],      size[1], extent(0), extent(2), extent(3),
        strides[0],         strides[1],   pads[0], pads[1],   pads[2],   pads[3],
        dilations[0],       dilations[1], groups};
    for (const auto numbers : {std::span<const std::size_t>(size), {pads}, {strides}, {dilations}})
        require(std::ranges::all_of(numbers, [](std::size_t n) { return fits({n}); }),
                "sizes, pads, strides, dilations: must be below 2^31");
    require(groups > 0 && extent(0) % groups == 0, "groups: must divide the channels");
    require(strides[0] > 0 && strides[1] > 0 && dilations[0] > 0 && dilations[1] > 0 &&
                size[0] > 0 && size[1] > 0,
            "sizes, strides, dilations: must be positive");
    require(size[0] + pads[0] + pads[2] > dilations[0] * (extent(2) - 1) &&
                size[1] + pads[1] + pads[3] > dilations[1] * (extent(3) - 1),
            "kernel: larger than the padded image");
    require(fits({extent(1), groups, size[0], size[1]}) &&
                fits({extent(0), shape.out_height(), shape.out_width()}),
            "size: expected less than 2^31 inputs and outputs");
    return {shape, kernel.data()};
}

// Rows of entries: row q's are first[q] .. first[q + 1] - 1, with increasing columns.
Sparse sparse(std::size_t inputs, const Integers& first, const Integers& column,
              const Doubles& weight) {
    require(first.ndim() == 1 && first.size() >= 2 && column.ndim() == 1 && weight.ndim() == 1 &&
                column.size() == weight.size() && first.at(0) == 0 &&
                first.at(first.size() - 1) == column.size() && fits({inputs}),
            "sparse: expected first [out + 1], column [entries], weight [entries]");
    std::vector<std::size_t> starts(first.data(), first.data() + first.size());
    std::vector<std::uint32_t> columns(column.data(), column.data() + column.size());
    for (std::size_t q = 0; q + 1 < starts.size(); ++q) {
        require(starts[q] <= starts[q + 1] && starts[q + 1] <= columns.size(),
                "first: must not decrease");
        for (std::size_t i = starts[q]; i < starts[q + 1]; ++i)
            require(column.data()[i] >= 0 && column.data()[i] < static_cast<std::int64_t>(inputs) &&
                        (i == starts[q] || columns[i - 1] < columns[i]),
                    "column: must increase in every row, and be below inputs");
    }
    return {inputs,
            std::move(starts),
            std::move(columns),
            {weight.data(), weight.data() + weight.size()}};
}

using SharedOperation = std::shared_ptr<Operation>;

template <class Any>
SharedOperation share(Any&& operation) {
    return std::make_shared<Operation>(std::forward<Any>(operation));
}

using BlockTuple = std::tuple<std::size_t, std::size_t, SharedOperation>;

AffineMap affine_map(std::size_t inputs, const Doubles& bias,
                     const std::vector<BlockTuple>& tuples) {
    require(bias.ndim() == 1 && bias.size() > 0 && inputs > 0, "bias: expected [out]");
    const auto outputs = static_cast<std::size_t>(bias.size());
    require(fits({inputs}) && fits({outputs}), "bias: expected less than 2^31 inputs and outputs");
    std::vector<Block> blocks;
    for (const auto& [in_offset, out_offset, operation] : tuples) {
        const Block& block = blocks.emplace_back(Block{in_offset, out_offset, operation});
        require(block.inputs() <= inputs && in_offset <= inputs - block.inputs() &&
                    block.outputs() <= outputs && out_offset <= outputs - block.outputs(),
                "blocks: outside the map");
    }
    return {inputs, {bias.data(), bias.data() + bias.size()}, std::move(blocks)};
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

using RoundArrays = std::pair<std::size_t, py::array_t<std::int32_t, py::array::c_style>>;
using LayerArrays = std::variant<std::size_t, std::vector<RoundArrays>>;

// A pool's rounds halve its windows' slots; every neuron of their levels compares one pair.
Pooling pooling(const std::vector<RoundArrays>& rounds, const std::vector<Level>& levels) {
    require(!rounds.empty() && rounds.back().second.ndim() == 2 &&
                rounds.back().second.shape(1) == 1,
            "layers: the last round must leave one slot");
    Pooling out{static_cast<std::size_t>(rounds.back().second.shape(0)), {}};
    for (std::size_t r = 0; r < rounds.size(); ++r) {
        const auto& [level, neuron] = rounds[r];
        require(neuron.ndim() == 2 && neuron.shape(0) == rounds.back().second.shape(0) &&
                    (r == 0 || neuron.shape(1) == (rounds[r - 1].second.shape(1) + 1) / 2),
                "layers: expected the neurons of a round as [windows, slots]");
        std::vector<std::int32_t> neurons(neuron.data(), neuron.data() + neuron.size());
        const std::size_t here = level < levels.size() ? levels[level].activation.width() : 0;
        for (const std::int32_t q : neurons)
            require(Round::right <= q && q < static_cast<std::int64_t>(here),
                    "layers: no such neuron");
        out.rounds.emplace_back(level, static_cast<std::size_t>(neuron.shape(1)),
                                std::move(neurons));
        const std::size_t compared = out.rounds.back().window.size();
        require(compared == 0 || compared == here,
                "layers: every neuron of a round's level must compare");
    }
    return out;
}

std::vector<Layer> make_layers(const std::vector<LayerArrays>& arrays,
                               const std::vector<Level>& levels) {
    std::vector<Layer> layers;
    for (const LayerArrays& layer : arrays)
        if (const auto* rounds = std::get_if<std::vector<RoundArrays>>(&layer)) {
            layers.emplace_back(pooling(*rounds, levels));
        } else {
            require(std::get<std::size_t>(layer) < levels.size(), "layers: no such level");
            layers.emplace_back(Elementwise{std::get<std::size_t>(layer)});
        }
    return layers;
}

std::shared_ptr<Network> make_network(const std::vector<std::shared_ptr<AffineMap>>& maps,
                                      const std::vector<ActivationArrays>& activations,
                                      const std::vector<LayerArrays>& layers) {
    require(!maps.empty() && activations.size() + 1 == maps.size(),
            "activations: expected one fewer than maps");
    std::vector<Level> levels;
    for (std::size_t l = 0; l < activations.size(); ++l) {
        const auto width = static_cast<std::size_t>(std::get<1>(activations[l]).shape(1));
        require(width <= maps[l]->outputs(), "activations: more neurons than outputs");
        require(maps[l + 1]->inputs() == maps[l]->outputs(),
                "maps: a map's inputs must be the outputs of the one before");
        levels.push_back({maps[l], activation(activations[l], width)});
    }
    std::vector<Layer> seen = make_layers(layers, levels);
    return std::make_shared<Network>(std::move(levels), maps.back(), std::move(seen));
}

// A matrix as it was given.
py::array weight(const py::object& self) {
    const auto* dense = std::get_if<Dense>(self.cast<SharedOperation>().get());
    require(dense != nullptr, "weight: not a dense operation");
    const auto in = static_cast<py::ssize_t>(dense->inputs());
    const auto out = static_cast<py::ssize_t>(dense->outputs());
    const py::ssize_t item = sizeof(double);
    py::array view(py::dtype::of<double>(), {out, in}, {item, out * item}, dense->columns(), self);
    view.attr("flags").attr("writeable") = false;
    return view;
}

// What is read here lives as long as its owner.
template <class T>
py::array view(const T* data, std::vector<py::ssize_t> shape, const py::object& owner) {
    py::array out(py::dtype::of<T>(), std::move(shape), data, owner);
    out.attr("flags").attr("writeable") = false;
    return out;
}

// The arrays of a block's operation: ("dense", weight [in, out]), ("convolution", shape, kernel) or
// ("sparse", first, column, weight), after the offsets of its inputs and outputs.
py::tuple block_arrays(const Block& block, const py::object& owner) {
    const auto n = [](std::size_t size) { return static_cast<py::ssize_t>(size); };
    if (const auto* dense = std::get_if<Dense>(&block.operation()))
        return py::make_tuple(block.in_offset, block.out_offset, "dense",
                              view(dense->columns(), {n(dense->inputs()), n(dense->outputs())},
                                   owner));
    if (const auto* convolution = std::get_if<Convolution>(&block.operation())) {
        const ConvolutionShape& s = convolution->shape();
        const std::array<std::size_t, 17> shape{s.channels_in,  s.height,        s.width,
                                                s.channels_out, s.kernel_height, s.kernel_width,
                                                s.stride_y,     s.stride_x,      s.pad_top,
                                                s.pad_left,     s.pad_bottom,    s.pad_right,
                                                s.dilation_y,   s.dilation_x,    s.groups,
                                                s.out_height(), s.out_width()};
        return py::make_tuple(block.in_offset, block.out_offset, "convolution", as_integers(shape),
                              view(convolution->weights().data(),
                                   {n(s.channels_out), n(convolution->terms())}, owner));
    }
    const auto& sparse = std::get<Sparse>(block.operation());
    return py::make_tuple(block.in_offset, block.out_offset, "sparse", as_integers(sparse.first()),
                          as_integers(sparse.columns()),
                          view(sparse.weights().data(), {n(sparse.weights().size())}, owner));
}

// A level's activation: (thresholds, slopes, offsets, low parts of offsets, the largest offset,
// whether evaluating it rounds nothing).
py::tuple activation_arrays(const Activation& phi, const py::object& owner) {
    const auto pieces = static_cast<py::ssize_t>(phi.pieces());
    const auto width = static_cast<py::ssize_t>(phi.width());
    std::vector<double> offsets, lows;
    for (std::size_t piece = 0; piece < phi.pieces(); ++piece)
        for (std::size_t q = 0; q < phi.width(); ++q) {
            offsets.push_back(phi.offset(piece, q));
            lows.push_back(phi.offset_low(piece, q));
        }
    return py::make_tuple(view(phi.all_thresholds().data(), {pieces - 1}, owner),
                          view(phi.slopes().data(), {pieces, width}, owner),
                          take(std::move(offsets), {pieces, width}),
                          take(std::move(lows), {pieces, width}), phi.largest_offset(),
                          phi.evaluates_exactly());
}

}  // namespace

void register_network(py::module_& module) {
    py::class_<Operation, SharedOperation>(module, "Operation", "A matrix that is not written out.")
        .def_property_readonly("weight", &weight);
    module.def(
        "dense", [](const Doubles& weight) { return share(dense(weight)); }, py::arg("weight"));
    module.def(
        "convolution",
        [](const Doubles& kernel, const Two& size, const Two& strides,
           const std::array<std::size_t, 4>& pads, const Two& dilations, std::size_t groups) {
            return share(convolution(kernel, size, strides, pads, dilations, groups));
        },
        py::arg("kernel"), py::arg("size"), py::arg("strides"), py::arg("pads"),
        py::arg("dilations"), py::arg("groups"));
    module.def(
        "sparse",
        [](std::size_t inputs, const Integers& first, const Integers& column,
           const Doubles& weight) { return share(sparse(inputs, first, column, weight)); },
        py::arg("inputs"), py::arg("first"), py::arg("column"), py::arg("weight"));
    py::class_<AffineMap, std::shared_ptr<AffineMap>>(module, "AffineMap",
                                                      "x -> W x + b, W being a sum of blocks.")
        .def(py::init(&affine_map), py::arg("inputs"), py::arg("bias"), py::arg("blocks"))
        .def_property_readonly("inputs", &AffineMap::inputs)
        .def_property_readonly("outputs", &AffineMap::outputs)
        .def_property_readonly("terms",
                               [](const AffineMap& map) {  // roundings of a row's sums
                                   return map.terms() + map.blocks().size() + 1;
                               })
        .def_property_readonly("frobenius_norm", &AffineMap::frobenius_norm)
        .def("spectral_norm", &AffineMap::spectral_norm, py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("bias",
                               [](const py::object& self) {
                                   const auto& map = self.cast<const AffineMap&>();
                                   return view(map.bias(), {py::ssize_t(map.outputs())}, self);
                               })
        .def_property_readonly("row_norms",
                               [](const py::object& self) {
                                   const auto& map = self.cast<const AffineMap&>();
                                   return view(map.row_norms(), {py::ssize_t(map.outputs())}, self);
                               })
        .def_property_readonly("blocks", [](const py::object& self) {
            py::list out;
            for (const Block& block : self.cast<const AffineMap&>().blocks())
                out.append(block_arrays(block, self));
            return out;
        });
    py::class_<Network, std::shared_ptr<Network>>(module, "Network",
                                                  "Affine maps with activations between them.")
        .def(py::init(&make_network), py::arg("maps"), py::arg("activations"), py::arg("layers"))
        .def_property_readonly("depth", &Network::depth)
        .def_property_readonly("pools", &Network::pools)
        .def_property_readonly("extended_levels",
                               [](const Network& network) {
                                   const py::gil_scoped_release no_gil;
                                   return Plan(network, true, [] {}).extended_levels;
                               })
        .def("map",
             [](const Network& network, std::size_t l) {
                 if (l > network.depth()) throw py::index_error("l: no such level");
                 return l < network.depth() ? network.level(l).before : network.shared_readout();
             })
        .def("activation",
             [](const py::object& self, std::size_t l) {
                 const auto& network = self.cast<const Network&>();
                 if (l >= network.depth()) throw py::index_error("l: no such level");
                 return activation_arrays(network.level(l).activation, self);
             })
        .def("lipschitz", [](const Network& network, std::size_t l) {
            if (l >= network.depth()) throw py::index_error("l: no such level");
            return network.level(l).lipschitz();
        });
}

}  // namespace pyexpr::python
