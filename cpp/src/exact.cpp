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

ExactLine::ExactLine(const Network& network, const Line& line, std::function<void()> poll)
    : network_(network), poll_(std::move(poll)), letters_(network.depth()) {
    const std::size_t n = network.inputs();
    const int exponent = CommonExponent().add(line.x0.data(), n).add(line.x1.data(), n).get();
    for (std::size_t l = 0; l <= network.depth(); ++l) {
        inputs_.emplace_back(network.map(l).inputs());
        rows_.emplace_back(network.map(l).outputs());
    }
    for (std::size_t i = 0; i < n; ++i) {
        const Integer a = scaled(line.x0[i], exponent), b = scaled(line.x1[i], exponent) - a;
        inputs_[0].set(i, {a, b});
    }

    in_exponent_.push_back(exponent);
    for (std::size_t l = 0; l <= network.depth(); ++l) {
        const AffineMap& map = network.map(l);
        CommonExponent weights;
        for (const Block& block : map.blocks())
            std::visit(
                [&](const auto& op) { weights.add(op.weights().data(), op.weights().size()); },
                block.operation());
        weight_exponent_.push_back(weights.get());
        CommonExponent pre;
        pre.add_exponent(in_exponent_[l] + weight_exponent_[l]).add(map.bias(), map.outputs());
        if (l == network.depth()) {
            pre_exponent_.push_back(pre.get());
            break;
        }
        const Activation& phi = network.level(l).activation;
        for (std::size_t k = 0; k < phi.thresholds(); ++k) pre.add(phi.threshold(k));
        pre_exponent_.push_back(pre.get());
        slope_exponent_.push_back(
            CommonExponent().add(phi.slopes().data(), phi.slopes().size()).get());
        CommonExponent out;
        out.add_exponent(pre_exponent_[l] + slope_exponent_[l]);
        if (network.level(l).passes()) out.add_exponent(pre_exponent_[l]);
        for (std::size_t piece = 0; piece < phi.pieces(); ++piece)
            for (std::size_t q = 0; q < phi.width(); ++q)
                if (const Dyadic c = exact_offset(phi, piece, q); c.mantissa != 0)
                    out.add_exponent(c.exponent);
        in_exponent_.push_back(out.get());
    }
}

void ExactLine::forget_from(std::size_t level) {
    for (std::size_t l = level; l < network_.depth(); ++l) {
        letters_[l].clear();
        inputs_[l + 1].forget();
        rows_[l + 1].forget();
    }
}

void ExactLine::set_pattern(const Pattern& pattern) {
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

Affine<Integer> ExactLine::activate(std::size_t level, std::size_t neuron) {
    const Activation& phi = network_.level(level).activation;
    const int exponent = in_exponent_[level + 1] - pre_exponent_[level];
    Affine<Integer> out;
    if (neuron >= phi.width()) {
        const Affine<Integer>& z = pre_activation(level, neuron);
        return {z.a << -exponent, z.b << -exponent};
    }
    const std::size_t piece = phi.piece(letters_[level].data(), neuron);
    out.a = scaled(exact_offset(phi, piece, neuron), in_exponent_[level + 1]);
    if (const Float slope(phi.slope(piece, neuron)); slope.mantissa != 0) {
        const Affine<Integer>& z = pre_activation(level, neuron);
        Integer scratch;
        add_product(out.a, z.a, slope, exponent, scratch);
        add_product(out.b, z.b, slope, exponent, scratch);
    }
    return out;
}

const Affine<Integer>& ExactLine::input(std::size_t level, std::size_t entry) {
    if (const auto* known = inputs_[level].get(entry)) return *known;
    return inputs_[level].set(entry, activate(level - 1, entry));
}

const Affine<Integer>& ExactLine::pre_activation(std::size_t level, std::size_t neuron) {
    if (const auto* known = rows_[level].get(neuron)) return *known;
    poll_();
    const AffineMap& map = network_.map(level);
    Affine<Integer> sum;
    Integer scratch;
    map.for_each_in_row(neuron, [&](std::size_t j, double weight) {
        if (weight == 0) return;
        const Affine<Integer>& value = input(level, j);
        if (value.a == 0 && value.b == 0) return;
        const Float w(weight);
        add_product(sum.a, value.a, w, weight_exponent_[level], scratch);
        add_product(sum.b, value.b, w, weight_exponent_[level], scratch);
    });
    const int finer = in_exponent_[level] + weight_exponent_[level] - pre_exponent_[level];
    sum.a <<= finer;
    sum.b <<= finer;
    sum.a += scaled(map.bias()[neuron], pre_exponent_[level]);
    return rows_[level].set(neuron, std::move(sum));
}

Affine<Integer> ExactLine::margin(std::size_t level, std::size_t neuron, std::size_t threshold) {
    Affine<Integer> f = pre_activation(level, neuron);
    f.a -= scaled(network_.level(level).activation.threshold(threshold), pre_exponent_[level]);
    return f;
}

Affine<Integer> ExactLine::vanishing_at(double root) {
    const Float x(root);
    if (x.exponent >= 0) return {-(Integer(x.mantissa) << x.exponent), 1};
    return {-x.mantissa, Integer(1) << -x.exponent};
}

}  // namespace pyexpr
