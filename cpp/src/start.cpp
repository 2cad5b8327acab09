#include "pyexpr/start.hpp"

#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

#include "pyexpr/curve_refinement.hpp"
#include "pyexpr/gemm.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// One row in double-double, and what it is wrong by, relative to the row norms.
double multiply_extended(const AffineMap& map, const Input& x, double norm, std::size_t row,
                         Partition& whole, Scratch& scratch) {
    const std::size_t n = map.outputs();
    const std::vector<double> exact(map.inputs(), 0.0);
    double *high = whole.row(row), *low = whole.low_row(row);
    std::copy_n(map.bias(), n, high);
    std::fill_n(low, n, 0.0);
    map.add_extended(x.data(), exact.data(), high, low, scratch.weights);
    normalise(high, low, n);
    return up(compensated(map.terms()) * norm);
}

// All rows at once.
void multiply(const AffineMap& map, const std::vector<Input>& points, Partition& whole,
              Scratch& scratch) {
    const std::size_t n = map.outputs(), in = map.inputs();
    scratch.hidden.resize(points.size() * in);
    for (std::size_t v = 0; v < points.size(); ++v)
        std::copy_n(points[v].data(), in, &scratch.hidden[v * in]);
    if (const Dense* dense = map.dense())
        gemm(points.size(), n, in, scratch.hidden.data(), dense->columns(), whole.rows.data());
    else
        map.multiply(points.size(), scratch.hidden.data(), whole.rows.data(), scratch.weights);
    for (std::size_t v = 0; v < points.size(); ++v) add(map.bias(), whole.row(v), n);
}

// The end points are exact, so the first level's sums are the only error.
void start_lines(const Network& network, const Trajectory& trajectory, std::size_t first,
                 std::size_t last, bool extended, Partition& whole, Scratch& scratch) {
    const AffineMap& map = network.map(0);
    const std::size_t n = map.outputs(), vertices = 2 * (last - first);
    std::vector<Input> points;
    whole.vertices.resize(vertices);
    for (std::size_t i = first; i < last; ++i) {
        const Line& line = std::get<Line>(trajectory.pieces[i]);
        for (const Input& x : {line.x0, line.x1}) {
            Vertex& vertex = whole.vertices[points.size()];
            vertex.t = static_cast<double>(points.size() % 2);
            vertex.piece = static_cast<std::uint32_t>(i);
            points.push_back(x);
            whole.norm.push_back(up(norm_bound(x.data(), x.size()) + 1));
        }
        // |x1 - x0| <= |x0| + |x1|
        whole.speed = std::max(whole.speed, whole.norm.end()[-1] + whole.norm.end()[-2]);
    }
    whole.parent.assign(vertices - 1, 0);
    whole.rows.resize(vertices * n);
    whole.eps.assign(vertices, 0.0);
    whole.local.assign(vertices, 0.0);
    if (extended) {
        whole.lows.resize(vertices * n);
        for (std::size_t v = 0; v < vertices; ++v)
            whole.rho.push_back(
                multiply_extended(map, points[v], whole.norm[v], v, whole, scratch));
    } else {
        multiply(map, points, whole, scratch);
        const double loss = gamma(map.terms() + map.blocks().size() + 1);
        for (std::size_t v = 0; v < vertices; ++v) whole.rho.push_back(up(loss * whole.norm[v]));
    }
    std::vector<double> row(n);
    for (std::size_t v = 0; v < vertices; ++v) {
        if (!map.multiply_exactly(points[v].data(), row.data())) continue;
        std::copy_n(row.data(), n, whole.row(v));
        if (extended) std::fill_n(whole.low_row(v), n, 0.0);
        whole.rho[v] = 0;
    }
}

// The same for a curve: w x and w on its part of [0, 1].
void start_curve(const Network& network, const RationalBezier& curve, Partition& whole,
                 Scratch& scratch) {
    const AffineMap& map = network.map(0);
    const std::size_t n = map.outputs(), in = map.inputs(), degree = curve.degree();
    const double d = static_cast<double>(degree);
    whole.degree = degree;
    whole.vertices = {Vertex{}, Vertex{}};
    whole.vertices[0].t = curve.start;
    whole.vertices[1].t = curve.end;
    whole.parent = {0};
    whole.rows.resize((degree + 1) * n);
    whole.w.degree = degree;
    std::copy(curve.weights.begin(), curve.weights.end(), whole.w.c.begin());
    whole.w_speed = 0;
    for (std::size_t i = 0; i < degree; ++i)
        whole.w_speed = std::max(whole.w_speed, up(d * std::abs(whole.w[i + 1] - whole.w[i])));
    const Bernstein<double> w = WeightCutter(whole.w, curve.start).up_to(curve.end);

    const Pair from{curve.start}, part = (Pair{curve.end} - from) / (Pair{1} - from);
    const bool all = curve.start == 0 && curve.end == 1;
    std::vector<double> high((degree + 1) * in), low((degree + 1) * in);
    std::vector<double> steps(degree * in);
    for (std::size_t q = 0; q < in; ++q) {
        Bernstein<Pair> x;
        x.degree = degree;
        for (std::size_t i = 0; i <= degree; ++i) {
            for (std::size_t j = 0; j < curve.points.size(); ++j)
                add_product(x[i], {curve.points[j][q], 0}, curve.mix(i, j));
            x[i] = two_sum(x[i].high, x[i].low);
        }
        for (std::size_t i = 0; i < degree; ++i) steps[i * in + q] = (x[i + 1] - x[i]).high;
        if (!all) x = restrict_to(x, from, part);
        for (std::size_t i = 0; i <= degree; ++i) {
            high[i * in + q] = x[i].high;
            low[i * in + q] = x[i].low;
        }
    }
    double speed = 0, size = 0;
    for (std::size_t i = 0; i < degree; ++i)
        speed = std::max(speed, norm_bound(&steps[i * in], in));
    for (std::size_t j = 0; j < curve.points.size(); ++j) {
        double most = 0;
        for (std::size_t i = 0; i <= degree; ++i) most = std::max(most, std::abs(curve.mix(i, j)));
        size += most * norm_bound(curve.points[j].data(), in);
    }
    // Sums and restrictions lose less than 2^-90 of what they are made of.
    const double rounding = up(0x1p-90 * size + underflow);
    whole.speeds = {up(d * (speed * (1 + 0x1p-20) + rounding) + whole.w_speed)};
    std::vector<double> row_low(n);
    for (std::size_t i = 0; i <= degree; ++i) {
        double* row = whole.row(i);
        for (std::size_t q = 0; q < n; ++q) {
            const Pair bias = two_product(map.bias()[q], w[i]);
            row[q] = bias.high;
            row_low[q] = bias.low;
        }
        map.add_extended(&high[i * in], &low[i * in], row, row_low.data(), scratch.weights);
        add(row_low.data(), row, n);
        const double norm = up(norm_bound(&high[i * in], in) * (1 + 0x1p-50) + w[i]);
        whole.norm.push_back(norm);
        whole.eps.push_back(0);
        whole.local.push_back(0);
        // A weight is rounded to a float, too.
        whole.rho.push_back(up(8 * unit_roundoff * norm + rounding));
        whole.weights.push_back(w[i]);
    }
}

}  // namespace

void start(const Network& network, const Trajectory& trajectory, std::size_t first,
           std::size_t last, bool extended, Partition& whole, Scratch& scratch) {
    whole.clear();
    whole.width = network.map(0).outputs();
    whole.speed = 0;
    if (const auto* curve = std::get_if<RationalBezier>(&trajectory.pieces[first])) {
        start_curve(network, *curve, whole, scratch);
        for (Vertex& vertex : whole.vertices) vertex.piece = static_cast<std::uint32_t>(first);
    } else {
        start_lines(network, trajectory, first, last, extended, whole, scratch);
    }
}

}  // namespace pyexpr
