#include <algorithm>
#include <cmath>

#include "bindings.hpp"

namespace pyexpr::python {
namespace {

std::vector<double> vector(const Doubles& x) { return {x.data(), x.data() + x.size()}; }

Piece line(const Doubles& x0, const Doubles& x1) {
    require(x0.ndim() == 1 && x1.ndim() == 1 && x0.size() == x1.size(),
            "x0, x1: expected two vectors of one length");
    const auto owner = std::make_shared<std::vector<double>>(vector(x0));
    owner->insert(owner->end(), x1.data(), x1.data() + x1.size());
    const Input both(*owner);
    return Line{both.first(both.size() / 2), both.last(both.size() / 2), owner};
}

// Segments from row to row, which are not copied.
Trajectory polyline(const Doubles& points, bool closed) {
    require(points.ndim() == 2 && points.shape(0) >= 2, "points: expected shape (k, n), k >= 2");
    const std::shared_ptr<const void> owner = keep(points);
    Trajectory out{{}, closed};
    for (py::ssize_t i = 0; i + 1 < points.shape(0); ++i)
        out.pieces.emplace_back(Line{row(points, i), row(points, i + 1), owner});
    return out;
}

// The segments from row starts[i] of x0 to row ends[i] of x1, which are not copied.
Trajectory segments(const Doubles& x0, const Integers& starts, const Doubles& x1,
                    const Integers& ends, bool closed) {
    require(x0.ndim() == 2 && x1.ndim() == 2 && x0.shape(1) == x1.shape(1) &&
                starts.size() == ends.size() && starts.size() > 0,
            "x0, x1: expected rows of one length, and one index of each a segment");
    const std::shared_ptr<const void> owner = keep(py::make_tuple(x0, x1));
    Trajectory out{{}, closed};
    for (py::ssize_t i = 0; i < starts.size(); ++i) {
        const auto start = starts.data()[i], end = ends.data()[i];
        require(0 <= start && start < x0.shape(0) && 0 <= end && end < x1.shape(0),
                "starts, ends: no such row");
        out.pieces.emplace_back(Line{row(x0, start), row(x1, end), owner});
    }
    return out;
}

// Which pieces are no lines, [pieces].
py::array curved(const Trajectory& trajectory) {
    std::vector<std::uint8_t> out;
    for (const Piece& piece : trajectory.pieces)
        out.push_back(std::holds_alternative<RationalBezier>(piece));
    return take(std::move(out));
}

// The largest of its pieces'.
std::size_t degree(const Trajectory& trajectory) {
    std::size_t out = 1;
    for (const Piece& piece : trajectory.pieces)
        if (const auto* curve = std::get_if<RationalBezier>(&piece))
            out = std::max(out, curve->degree());
    return out;
}

// Where the pieces first .. last - 1, which are lines, begin and end, [pieces, inputs] each.
py::tuple ends_of_lines(const Trajectory& trajectory, std::size_t first, std::size_t last) {
    require(first < last && last <= trajectory.pieces.size(), "first, last: no such pieces");
    const auto inputs = static_cast<py::ssize_t>(dimension(trajectory.pieces[0]));
    const auto pieces = static_cast<py::ssize_t>(last - first);
    Doubles x0({pieces, inputs}), x1({pieces, inputs});
    for (py::ssize_t i = 0; i < pieces; ++i) {
        const auto* line = std::get_if<Line>(
            &trajectory.pieces[first + static_cast<std::size_t>(i)]);
        require(line != nullptr, "first, last: expected lines");
        std::copy(line->x0.begin(), line->x0.end(), x0.mutable_data(i, 0));
        std::copy(line->x1.begin(), line->x1.end(), x1.mutable_data(i, 0));
    }
    return py::make_tuple(x0, x1);
}

// Multiplies weights and mixing, which leaves the curve as it is, by a power of two that makes the
// largest weight about 1, if nothing is lost by that: squares must neither overflow nor vanish.
void normalise(RationalBezier& curve) {
    const int shift = -std::ilogb(*std::max_element(curve.weights.begin(), curve.weights.end()));
    const auto loses = [=](double x) {
        const double scaled = std::ldexp(x, shift);
        return x != 0 && !std::isnormal(scaled);
    };
    if (std::any_of(curve.weights.begin(), curve.weights.end(), loses) ||
        std::any_of(curve.mixing.begin(), curve.mixing.end(), loses))
        return;
    for (auto* numbers : {&curve.weights, &curve.mixing})
        for (double& x : *numbers) x = std::ldexp(x, shift);
}

Piece rational_bezier(const Doubles& points, const Doubles& mixing, const Doubles& weights,
                      double start, double end) {
    require(points.ndim() == 2 && mixing.ndim() == 2 && weights.ndim() == 1 &&
                mixing.shape(1) == points.shape(0) && mixing.shape(0) == weights.shape(0) &&
                weights.size() >= 2 && weights.size() <= static_cast<py::ssize_t>(most_degree) + 1,
            "points, mixing, weights: expected shapes (m, n), (d + 1, m), (d + 1,), 1 <= d <= 10");
    require(std::all_of(weights.data(), weights.data() + weights.size(),
                        [](double w) { return w > 0; }),
            "weights: must be positive");
    require(0 <= start && start < end && end <= 1, "start, end: expected 0 <= start < end <= 1");
    RationalBezier out{{}, vector(mixing), vector(weights), start, end};
    normalise(out);
    for (py::ssize_t j = 0; j < points.shape(0); ++j)
        out.points.emplace_back(points.data(j, 0), points.data(j, 0) + points.shape(1));
    return out;
}

Trajectory trajectory(const std::vector<Piece>& pieces, bool closed) {
    require(!pieces.empty(), "pieces: expected at least one");
    return {pieces, closed};
}

}  // namespace

Input row(const Doubles& points, py::ssize_t i) {
    return {points.data(i, 0), static_cast<std::size_t>(points.shape(1))};
}

std::shared_ptr<const void> keep(const py::object& object) {
    return {new py::object(object), [](const py::object* kept) {
                const py::gil_scoped_acquire gil;
                delete kept;
            }};
}

std::size_t dimension(const Piece& piece) {
    if (const auto* line = std::get_if<Line>(&piece)) return line->x0.size();
    return std::get<RationalBezier>(piece).points.front().size();
}

void register_trajectory(py::module_& module) {
    py::class_<Piece>(module, "Piece", "A line or a rational Bezier curve.");
    py::class_<Trajectory>(module, "Trajectory", "Pieces one after another.")
        .def(py::init(&trajectory), py::arg("pieces"), py::arg("closed"))
        .def_readonly("closed", &Trajectory::closed)
        .def("__len__", [](const Trajectory& trajectory) { return trajectory.pieces.size(); })
        .def_property_readonly("curved", &curved)
        .def_property_readonly("degree", &degree)
        .def("ends_of_lines", &ends_of_lines, py::arg("first"), py::arg("last"));
    module.def("segments", &segments, py::arg("x0"), py::arg("starts"), py::arg("x1"),
               py::arg("ends"), py::arg("closed") = false);
    module.def("line", &line, py::arg("x0"), py::arg("x1"));
    module.def("polyline", &polyline, py::arg("points"), py::arg("closed"));
    module.def("rational_bezier", &rational_bezier, py::arg("points"), py::arg("mixing"),
               py::arg("weights"), py::arg("start"), py::arg("end"));
}

}  // namespace pyexpr::python
