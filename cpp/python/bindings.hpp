// One registration function a concept.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "pyexpr/engine.hpp"

// A class of its own in Python, and not the one of its alternatives.
PYBIND11_MAKE_OPAQUE(pyexpr::Piece)

namespace pyexpr::python {

namespace py = pybind11;

using Doubles = py::array_t<double, py::array::c_style>;
using Integers = py::array_t<std::int64_t, py::array::c_style>;

inline void require(bool holds, const char* message) {
    if (!holds) throw py::value_error(message);
}

void register_network(py::module_& module);
void register_trajectory(py::module_& module);
void register_counting(py::module_& module);
void register_trace(py::module_& module);
void register_device(py::module_& module);

// Pre-activations of a layer, or the output, are beyond float64.
struct Overflow {
    std::size_t layer;
    std::optional<std::size_t> line = std::nullopt;  // of a batch
};

// Lets signal handlers run now and then, and tells how much is done; throws if one of them raised.
class Signals {
public:
    // `progress`: None, or called with `done`, which is told from elsewhere.
    explicit Signals(const py::object& progress = py::none(),
                     const std::atomic<double>* done = nullptr)
        : progress_(progress.ptr()), done_(done) {}
    void operator()() {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_) return;
        py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        const py::handle callback(progress_);
        if (done_ && !callback.is_none()) callback(std::min(done_->load(), 1.0));
        next_ = std::chrono::steady_clock::now() + interval;
    }

private:
    static constexpr std::chrono::milliseconds interval{50};
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + interval;
    // Not owned: copies are made and dropped without the GIL.
    PyObject* progress_;
    const std::atomic<double>* done_;
};

// A row of an array, which must outlive it.
Input row(const Doubles& points, py::ssize_t i);
// Keeps an object alive; it may be dropped without the GIL.
std::shared_ptr<const void> keep(const py::object& object);

// Of a piece's points.
std::size_t dimension(const Piece& piece);

// How a call from Python is to run.
struct Call {
    const py::object& progress;
    std::size_t threads = 1;
    bool certify = true;
};

// Runs the engine without the GIL; signals stop it within a fraction of a second.
Certificate run(const Network& network, const Trajectory& trajectory, Sink& sink, const Call& call);

// For each kind of decision: (asked, proportional, adjoint, extended, exact, gap).
py::tuple as_tuple(const Certificate& certificate);

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

template <class Values>
py::array as_integers(const Values& values) {
    return take(std::vector<std::int64_t>(values.begin(), values.end()));
}

}  // namespace pyexpr::python
