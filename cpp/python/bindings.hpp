// One registration function a concept.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <utility>
#include <vector>

#include "pyexpr/engine.hpp"

namespace pyexpr::python {

namespace py = pybind11;

using Doubles = py::array_t<double, py::array::c_style>;

void register_network(py::module_& module);
void register_counting(py::module_& module);
void register_trace(py::module_& module);

// Runs the engine without the GIL; signals stop it within a fraction of a second.
void run(const Network& network, const Doubles& x0, const Doubles& x1, Sink& sink);

// A read-only array that takes the vector over.
template <class T>
py::array take(std::vector<T>&& values, std::vector<py::ssize_t> shape,
               const py::dtype& dtype = py::dtype::of<T>()) {
    auto owner = std::make_unique<std::vector<T>>(std::move(values));
    const T* data = owner->data();
    py::capsule base(owner.get(), [](void* p) { delete static_cast<std::vector<T>*>(p); });
    owner.release();
    py::array out(dtype, std::move(shape), data, base);
    out.attr("flags").attr("writeable") = false;
    return out;
}

template <class T>
py::array take(std::vector<T>&& values) {
    const auto size = static_cast<py::ssize_t>(values.size());
    return take(std::move(values), {size});
}

}  // namespace pyexpr::python
