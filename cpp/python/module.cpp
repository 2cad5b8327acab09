// The Python module: conversions only.
#include <exception>
#include <string>

#include "bindings.hpp"

namespace {

void translate_overflow(std::exception_ptr raised) {
    try {
        if (raised) std::rethrow_exception(raised);
    } catch (const pyexpr::python::Overflow& error) {
        const std::string message = "net: pre-activations of layer " + std::to_string(error.layer) +
                                    " overflow float64 along " +
                                    (error.line ? "line " + std::to_string(*error.line)
                                                : std::string("the trajectory")) +
                                    "; rescale the weights or the points";
        PyErr_SetString(PyExc_OverflowError, message.c_str());
    }
}

}  // namespace

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled core of pyexpr.";
    pybind11::register_exception_translator(translate_overflow);
    pyexpr::python::register_network(module);
    pyexpr::python::register_trajectory(module);
    pyexpr::python::register_counting(module);
    pyexpr::python::register_trace(module);
    pyexpr::python::register_device(module);
}
