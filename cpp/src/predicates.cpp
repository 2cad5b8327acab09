#include "pyexpr/predicates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pyexpr/curve_predicates.hpp"
#include "pyexpr/line_predicates.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// How far apart the slopes of the first output for which the bounds prove that they differ are,
// relative to the larger; 0 if nothing is proved.
double sure_gap(const Slopes& a, const Slopes& b) {
    for (std::size_t i = 0; i < a.value.size(); ++i) {
        const double change = std::abs(a.value[i] - b.value[i]);
        if (change > up(a.error[i] + b.error[i]))
            return change / std::max(std::abs(a.value[i]), std::abs(b.value[i]));
    }
    return 0;
}

// Certain as soon as one coefficient of one output surely differs, or when all surely agree.
template <class AnyNetwork>
std::optional<Decision<bool>> outputs_differ(AnyNetwork& at, const Network& network,
                                             const Pattern& left, const Pattern& right) {
    std::vector<Polynomial<typename AnyNetwork::Number>> outputs;
    at.set_pattern(left);
    for (std::size_t i = 0; i < network.outputs(); ++i)
        outputs.push_back(at.pre_activation(network.depth(), i));
    at.set_pattern(right);
    bool agree = true;
    for (std::size_t i = 0; i < network.outputs(); ++i) {
        const auto& here = at.pre_activation(network.depth(), i);
        for (std::size_t c = here.size(); c-- > 0;) {
            const auto& other = outputs[i][c];
            const auto change = here[c] - other;
            const auto sign = certain_sign(change);
            if (sign && *sign != 0)
                return Decision{true, std::min(magnitude_of_quotient(change, here[c]),
                                               magnitude_of_quotient(change, other))};
            agree = agree && sign;
        }
    }
    return agree ? std::optional(Decision{false}) : std::nullopt;
}

}  // namespace

Predicates::Predicates(const Network& network, const std::vector<Piece>& pieces, bool certify)
    : network_(network), pieces_(pieces), certify_(certify), adjoint_(network) {}

std::unique_ptr<Predicates> make_predicates(const Network& network,
                                            const std::vector<Piece>& pieces, std::size_t piece,
                                            bool certify) {
    std::unique_ptr<Predicates> out;
    if (std::holds_alternative<Line>(pieces[piece]))
        out = std::make_unique<LinePredicates>(network, pieces, certify);
    else
        out = std::make_unique<CurvePredicates>(network, pieces, certify);
    out->enter(piece);
    return out;
}

void Predicates::enter(std::size_t piece) {
    if (piece == piece_) return;
    piece_ = piece;
    cancellation_.reset();
    extended_.reset();
    exact_.reset();
    begin_slice();
}

Cancellation& Predicates::cancellation() {
    if (!cancellation_) cancellation_.emplace(network_, Sources(pieces_[piece_]));
    return *cancellation_;
}

ExtendedNetwork& Predicates::extended() {
    if (!extended_) extended_.emplace(network_, pieces_[piece_]);
    return *extended_;
}

ExactNetwork& Predicates::exact() {
    if (!exact_) exact_.emplace(network_, pieces_[piece_], poll);
    return *exact_;
}

bool Predicates::surely_before(double latest, double earliest, double gap) {
    if (!(latest < earliest)) return false;
    ++certificate_.orders.asked;
    certificate_.orders.note_gap(gap);
    return true;
}

bool Predicates::is_bias_on(const Partitions& partitions, const Slice& slice, std::size_t neuron) {
    if (tried_.empty()) {
        const std::size_t words = network_.level(slice.level).activation.words();
        tried_.assign(words, 0);
        biases_.assign(words, 0);
        slice_letters_.gather(network_, partitions, slice);
    }
    if (!get_bit(tried_.data(), neuron)) {
        set_bit(tried_.data(), neuron);
        if (cancellation().is_bias(slice_letters_.range(), nullptr, slice.level, neuron, poll))
            set_bit(biases_.data(), neuron);
    }
    return get_bit(biases_.data(), neuron);
}

// A layer that is constant on both sides lets nothing through, whatever switches before it.
bool Predicates::dead_between(const Pattern& left, const Pattern& right) const {
    const auto constant = [](const Activation& phi, const Word* letters) {
        for (std::size_t q = 0; q < phi.width(); ++q) {
            if (!get_bit(phi.flat(phi.piece(letters, q)), q)) return false;
        }
        return true;
    };
    for (std::size_t l = network_.depth(); l-- > 0;) {
        const Activation& phi = network_.level(l).activation;
        if (network_.level(l).passes()) continue;
        if (constant(phi, left[l]) && (left[l] == right[l] || constant(phi, right[l]))) return true;
    }
    return false;
}

bool Predicates::slope_changes(const Slopes& a, const Slopes& b, const Pattern& left,
                               const Pattern& right) {
    ++certificate_.slopes.asked;
    if (const double gap = sure_gap(a, b); gap > 0) {
        certificate_.slopes.note_gap(gap);
        return true;
    }
    if (const auto sure = surely_changes(left, right)) return *sure;
    return functions_differ(left, right);
}

bool Predicates::joint_changes(std::size_t before, const Pattern& left, const Pattern& right) {
    ++certificate_.slopes.asked;
    if (const auto sure = surely_changes(left, right)) return *sure;
    if (functions_differ(left, right)) return true;
    const auto other = make_predicates(network_, pieces_, before);
    other->poll = poll;
    const bool differ = other->functions_differ(left, right);
    certificate_ += other->certificate();
    return differ;
}

std::optional<bool> Predicates::surely_changes(const Pattern& left, const Pattern& right) {
    if (dead_between(left, right)) return false;
    if (cancellation().is_unfelt(left, right)) {
        ++certificate_.slopes.proportional;
        return false;
    }
    const std::optional<bool> sure = adjoint_.slope_changes(left, right);
    if (sure) ++certificate_.slopes.adjoint;
    return sure;
}

bool Predicates::functions_differ(const Pattern& left, const Pattern& right) {
    return settle(certificate_.slopes,
                  [&](auto& at) { return outputs_differ(at, network_, left, right); });
}

double Predicates::position(const Pattern& pattern, const Vertex& vertex) {
    if (vertex.level == Vertex::given) return vertex.t;
    ++certificate_.positions.asked;
    return settle_position(pattern, vertex);
}

bool Slopes::measure(const AffineMap& readout, const Partition& cells, std::size_t cell, End end) {
    const std::size_t n = readout.outputs(), degree = cells.degree;
    const std::size_t first = cells.first_row(cell) + (end == End::left ? 0 : degree - 1);
    value.resize(n);
    error.resize(n);
    // The derivative at an end of a Bernstein polynomial: the degree times the first or last step.
    const double length = cells.length(cell) / static_cast<double>(degree);
    const double alpha = cells.alpha(first) + cells.alpha(first + 1);
    const double* a = cells.row(first);
    const double* b = cells.row(first + 1);
    const double* scale = readout.row_norms();
    double finite = 0;
    for (std::size_t i = 0; i < n; ++i) {
        finite += a[i] * 0 + b[i] * 0;
        const double magnitude = std::abs(a[i]) + std::abs(b[i]);
        value[i] = (b[i] - a[i]) / length;
        error[i] = up((scale[i] * alpha + 8 * unit_roundoff * magnitude + underflow) / length);
        if (!(length > 0) || !std::isfinite(value[i]))
            error[i] = std::numeric_limits<double>::infinity();
    }
    return finite == 0;
}

}  // namespace pyexpr
