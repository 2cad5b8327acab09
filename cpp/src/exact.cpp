#include "pyexpr/exact.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace pyexpr {
namespace {

// The power of two of which all given floats are integer multiples.
class CommonExponent {
public:
    CommonExponent& add(double value) {
        if (value != 0) add_exponent(Float(value).exponent);
        return *this;
    }
    CommonExponent& add(const double* values, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) add(values[i]);
        return *this;
    }
    CommonExponent& add_exponent(int exponent) {
        exponent_ = any_ ? std::min(exponent_, exponent) : exponent;
        any_ = true;
        return *this;
    }
    int get() const { return any_ ? exponent_ : 0; }

private:
    bool any_ = false;
    int exponent_ = 0;
};

// sum += x (weight 2^-exponent)
void add_product(Integer& sum, const Integer& x, const Float& weight, int exponent,
                 Integer& scratch) {
    if (x == 0) return;
    const int shift = weight.exponent - exponent;
    const auto magnitude = static_cast<std::uint64_t>(std::llabs(weight.mantissa));
    scratch = x;
    if (shift <= std::countl_zero(magnitude) - 1) {
        scratch *= weight.mantissa * (std::int64_t{1} << shift);
    } else {
        scratch *= weight.mantissa;
        scratch <<= shift;
    }
    sum += scratch;
}

}  // namespace

ExactNetwork::ExactNetwork(const Network& network, const Piece& piece, std::function<void()> poll)
    : network_(network), poll_(std::move(poll)), letters_(network.depth()) {
    for (std::size_t l = 0; l <= network.depth(); ++l) {
        inputs_.emplace_back(network.map(l).inputs());
        rows_.emplace_back(network.map(l).outputs());
    }
    std::visit([&](const auto& curve) { start(curve); }, piece);
    find_exponents();
}

void ExactNetwork::start(const Line& line) {
    const std::size_t n = network_.inputs();
    const int exponent = CommonExponent().add(line.x0.data(), n).add(line.x1.data(), n).get();
    for (std::size_t i = 0; i < n; ++i) {
        const Integer a = scaled(line.x0[i], exponent), b = scaled(line.x1[i], exponent) - a;
        inputs_[0].set(i, {a, b});
    }
    in_exponent_.push_back(exponent);
    weights_ = {1, 0};
}

void ExactNetwork::start(const RationalBezier& curve) {
    CommonExponent points, mixing;
    for (const auto& point : curve.points) points.add(point.data(), point.size());
    mixing.add(curve.mixing.data(), curve.mixing.size());
    for (std::size_t q = 0; q < network_.inputs(); ++q) {
        Polynomial<Integer> x(curve.degree() + 1);
        for (std::size_t i = 0; i < x.size(); ++i)
            for (std::size_t j = 0; j < curve.points.size(); ++j)
                x[i] += scaled(curve.mix(i, j), mixing.get()) *
                        scaled(curve.points[j][q], points.get());
        inputs_[0].set(q, std::move(x));
    }
    in_exponent_.push_back(points.get() + mixing.get());
    w_exponent_ = CommonExponent().add(curve.weights.data(), curve.weights.size()).get();
    for (const double w : curve.weights) weights_.push_back(scaled(w, w_exponent_));
}

void ExactNetwork::find_exponents() {
    const auto add_constant = [&](CommonExponent& common, const Dyadic& value) {
        if (value.mantissa != 0) common.add_exponent(value.exponent + w_exponent_);
    };
    for (std::size_t l = 0; l <= network_.depth(); ++l) {
        const AffineMap& map = network_.map(l);
        CommonExponent weights;
        for (const Block& block : map.blocks())
            std::visit(
                [&](const auto& op) { weights.add(op.weights().data(), op.weights().size()); },
                block.operation());
        weight_exponent_.push_back(weights.get());
        CommonExponent pre;
        pre.add_exponent(in_exponent_[l] + weight_exponent_[l]);
        for (std::size_t q = 0; q < map.outputs(); ++q) add_constant(pre, Dyadic(map.bias()[q]));
        if (l == network_.depth()) {
            pre_exponent_.push_back(pre.get());
            break;
        }
        const Activation& phi = network_.level(l).activation;
        for (std::size_t k = 0; k < phi.thresholds(); ++k)
            add_constant(pre, Dyadic(phi.threshold(k)));
        pre_exponent_.push_back(pre.get());
        slope_exponent_.push_back(
            CommonExponent().add(phi.slopes().data(), phi.slopes().size()).get());
        CommonExponent out;
        out.add_exponent(pre_exponent_[l] + slope_exponent_[l]);
        if (network_.level(l).passes()) out.add_exponent(pre_exponent_[l]);
        for (std::size_t piece = 0; piece < phi.pieces(); ++piece)
            for (std::size_t q = 0; q < phi.width(); ++q)
                add_constant(out, exact_offset(phi, piece, q));
        in_exponent_.push_back(out.get());
    }
}

void ExactNetwork::add_constant(Polynomial<Integer>& c, const Dyadic& value, int exponent) const {
    if (value.mantissa == 0) return;
    const Integer factor = scaled(value, exponent - w_exponent_);
    for (std::size_t i = 0; i < c.size(); ++i)
        if (weights_[i] != 0) c[i] += factor * weights_[i];
}

void ExactNetwork::forget_from(std::size_t level) {
    for (std::size_t l = level; l < network_.depth(); ++l) {
        letters_[l].clear();
        inputs_[l + 1].forget();
        rows_[l + 1].forget();
    }
}

void ExactNetwork::set_pattern(const Pattern& pattern) {
    for (std::size_t l = 0; l < pattern.size(); ++l) {
        const Activation& phi = network_.level(l).activation;
        const std::size_t words = phi.thresholds() * phi.words();
        std::vector<Word>& letters = letters_[l];
        if (letters.size() == words && std::equal(letters.begin(), letters.end(), pattern[l]))
            continue;
        forget_from(l);
        letters.assign(pattern[l], pattern[l] + words);
    }
}

Polynomial<Integer> ExactNetwork::activate(std::size_t level, std::size_t neuron) {
    const Activation& phi = network_.level(level).activation;
    const int exponent = in_exponent_[level + 1] - pre_exponent_[level];
    if (neuron >= phi.width()) {
        Polynomial<Integer> out = pre_activation(level, neuron);
        for (Integer& c : out) c <<= -exponent;
        return out;
    }
    Polynomial<Integer> out(weights_.size());
    const std::size_t piece = phi.piece(letters_[level].data(), neuron);
    add_constant(out, exact_offset(phi, piece, neuron), in_exponent_[level + 1]);
    if (const Float slope(phi.slope(piece, neuron)); slope.mantissa != 0) {
        const Polynomial<Integer>& z = pre_activation(level, neuron);
        Integer scratch;
        for (std::size_t i = 0; i < out.size(); ++i)
            add_product(out[i], z[i], slope, exponent, scratch);
    }
    return out;
}

const Polynomial<Integer>& ExactNetwork::input(std::size_t level, std::size_t entry) {
    if (const auto* known = inputs_[level].get(entry)) return *known;
    return inputs_[level].set(entry, activate(level - 1, entry));
}

const Polynomial<Integer>& ExactNetwork::pre_activation(std::size_t level, std::size_t neuron) {
    if (const auto* known = rows_[level].get(neuron)) return *known;
    poll_();
    const AffineMap& map = network_.map(level);
    Polynomial<Integer> sum(weights_.size());
    Integer scratch;
    map.for_each_in_row(neuron, [&](std::size_t j, double weight) {
        if (weight == 0) return;
        const Polynomial<Integer>& value = input(level, j);
        if (is_zero(value)) return;
        const Float w(weight);
        for (std::size_t i = 0; i < sum.size(); ++i)
            add_product(sum[i], value[i], w, weight_exponent_[level], scratch);
    });
    const int finer = in_exponent_[level] + weight_exponent_[level] - pre_exponent_[level];
    for (Integer& c : sum) c <<= finer;
    add_constant(sum, Dyadic(map.bias()[neuron]), pre_exponent_[level]);
    return rows_[level].set(neuron, std::move(sum));
}

Polynomial<Integer> ExactNetwork::margin(std::size_t level, std::size_t neuron,
                                         std::size_t threshold) {
    Polynomial<Integer> f = pre_activation(level, neuron);
    const double theta = network_.level(level).activation.threshold(threshold);
    add_constant(f, Dyadic(-theta), pre_exponent_[level]);
    return f;
}

}  // namespace pyexpr
