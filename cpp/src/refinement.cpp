#include "pyexpr/refinement.hpp"

#include <algorithm>
#include <cmath>

#include "pyexpr/gemm.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

void Refinement::prepare(const Network& network, const Partition& from, const Slice& slice,
                         const Events& events, const std::vector<std::uint32_t>& live, bool rows) {
    network_ = &network;
    level_ = &network.level(slice.level);
    next_ = &network.map(slice.level + 1);
    from_ = &from;
    events_ = &events;
    slice_ = slice;
    rows_wanted_ = rows;
    if (!rows) return;
    find_active();
    fold_constants();
    multiply();
    bound_gains(live);
}

// A neuron is constant on the slice if all pieces it visits there are flat.
void Refinement::find_active() {
    const Activation& phi = level_->activation;
    const std::size_t words = phi.words(), row = phi.thresholds() * words;
    sometimes_.assign(row, 0);
    always_.assign(row, ~Word{0});
    for (std::size_t i = 0; i < events_->left.size(); ++i) {
        const Word left = events_->left[i], right = left ^ events_->crossing[i];
        sometimes_[i % row] |= left | right;
        always_[i % row] &= left & right;
    }
    active_.clear();
    for (std::size_t w = 0; w < words; ++w) {
        Word active = 0;
        for (std::size_t piece = 0; piece < phi.pieces(); ++piece) {
            const Word reached = piece == 0 ? ~Word{0} : sometimes_[(piece - 1) * words + w];
            const Word left = piece + 1 == phi.pieces() ? ~Word{0} : ~always_[piece * words + w];
            active |= reached & left & ~phi.flat(piece)[w];
        }
        if (w + 1 == words && phi.width() % 64 != 0) active &= (Word{1} << (phi.width() % 64)) - 1;
        for_each_bit(active, w * 64,
                     [&](std::size_t q) { active_.push_back(static_cast<std::uint32_t>(q)); });
    }
}

void Refinement::fold_constants() {
    const Activation& phi = level_->activation;
    constant_.assign(next_->bias(), next_->bias() + next_->outputs());
    constant_low_.assign(next_->outputs(), 0.0);
    double squares = 0;
    auto next_active = active_.begin();
    for (std::size_t q = 0; q < phi.width(); ++q) {
        if (next_active != active_.end() && *next_active == q) {
            ++next_active;
            continue;
        }
        const double value = phi.offset(phi.piece(events_->left.data(), q), q);
        if (value == 0) continue;
        squares += value * value;
        axpy_extended(value, phi.offset_low(phi.piece(events_->left.data(), q), q),
                      next_->column(q), constant_.data(), constant_low_.data(), next_->outputs());
    }
    if (squares > 0) add(constant_low_.data(), constant_.data(), next_->outputs());
    constant_norm_ = up(std::sqrt(squares) + underflow);
}

void Refinement::activate(const double* z, double* out) const {
    const Activation& phi = level_->activation;
    for (std::size_t i = 0; i < active_.size(); ++i) {
        const std::size_t q = active_[i];
        std::size_t piece = 0;
        for (std::size_t k = 0; k < phi.thresholds(); ++k) piece += z[q] > phi.threshold(k);
        out[i] = phi.slope(piece, q) * z[q] + phi.offset(piece, q);
    }
}

void Refinement::multiply() {
    const std::size_t vertices = slice_.cells() + 1, k = active_.size(), n = next_->outputs();
    hidden_.resize(vertices * k);
    norm_.resize(vertices);
    rho_.resize(vertices);
    for (std::size_t v = 0; v < vertices; ++v) {
        double* h = &hidden_[v * k];
        activate(from_->row(slice_.first + v), h);
        const double size = norm_bound(h, k);
        norm_[v] = up(size + constant_norm_ + 1);
        // The products in any order, the constant (compensated) and its addition.
        rho_[v] = up(gamma(k) * size + 4 * unit_roundoff * norm_[v]);
    }
    const double* columns = next_->columns();
    if (k < level_->activation.width()) {
        weights_.resize(k * n);
        for (std::size_t i = 0; i < k; ++i)
            std::copy_n(next_->column(active_[i]), n, &weights_[i * n]);
        columns = weights_.data();
    }
    rows_.resize(vertices * n);
    gemm(vertices, n, k, hidden_.data(), columns, rows_.data());
    for (std::size_t v = 0; v < vertices; ++v) add(constant_.data(), &rows_[v * n], n);
    gemm_flops += 2.0 * static_cast<double>(vertices) * static_cast<double>(n * k);
}

// How the level turns |h error| and rounding of its inputs into |h error| of its outputs:
// eps' <= lipschitz (|W|_2 eps + |row norms|_2 rho), over the active rows and live columns.
void Refinement::bound_gains(const std::vector<std::uint32_t>& live) {
    const Activation& phi = level_->activation;
    const DenseMap& map = level_->map;
    double squares = 0, largest_eps = 0;
    for (std::uint32_t q : active_) squares += map.row_norms()[q] * map.row_norms()[q];
    const double frobenius = up(std::sqrt(squares) + underflow);
    for (std::size_t v = slice_.first; v <= slice_.last; ++v)
        largest_eps = std::max(largest_eps, from_->eps[v]);
    double norm = frobenius;
    if (largest_eps > 0) {
        norm = std::min(norm, map.spectral_norm());
        // Few neurons are left where most saturate: then their own block is cheap to bound.
        if (active_.size() * live.size() <= slice_.cells() * map.outputs() / 2) {
            std::vector<double> block(active_.size() * live.size());
            for (std::size_t j = 0; j < live.size(); ++j)
                for (std::size_t i = 0; i < active_.size(); ++i)
                    block[i * live.size() + j] = map.column(live[j])[active_[i]];
            norm = std::min(norm, row_sum_norm_bound(active_.size(), live.size(), block.data()));
        }
    }
    const double lipschitz = phi.lipschitz();
    speed_ = up(lipschitz * norm * from_->speed + underflow);
    base_.resize(slice_.cells() + 1);
    for (std::size_t v = 0; v < base_.size(); ++v) {
        const std::size_t at = slice_.first + v;
        double base = lipschitz * (norm * from_->eps[at] + frobenius * from_->rho[at]);
        if (!phi.evaluates_exactly()) {
            const double size = lipschitz * frobenius * (from_->norm[at] + from_->alpha(at)) +
                                phi.largest_offset() * static_cast<double>(phi.width());
            base += 8 * unit_roundoff * size;
        }
        base_[v] = up(base + underflow);
    }
}

void Refinement::begin(Partition& out, std::size_t cell) {
    out.clear();
    spread_.clear();
    out.width = rows_wanted_ ? next_->outputs() : 0;
    out.letter_words = level_->activation.thresholds() * level_->activation.words();
    out.speed = speed_;
    add_old_vertex(out, cell);
}

void Refinement::add_old_vertex(Partition& out, std::size_t vertex) {
    out.vertices.push_back(from_->vertices[slice_.first + vertex]);
    if (!rows_wanted_) return;
    spread_.push_back(events_->displacement[vertex]);
    out.eps.push_back(up(base_[vertex] + spread_.back()));
    out.rho.push_back(rho_[vertex]);
    out.norm.push_back(norm_[vertex]);
    const double* row = &rows_[vertex * out.width];
    out.rows.resize(out.vertices.size() * out.width);
    std::copy_n(row, out.width, out.row(out.vertices.size() - 1));
}

void Refinement::append(Partition& out, std::size_t cell) {
    add_letters(out, cell);
    const std::size_t first = out.vertices.size() - 1;
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    for (std::size_t i = begin; i < end; ++i) {
        out.vertices.push_back(events_->points[i].vertex);
        if (!rows_wanted_) continue;
        spread_.push_back(events_->points[i].displacement);
        out.eps.push_back(0);
        out.rho.push_back(0);
        out.norm.push_back(0);
    }
    add_old_vertex(out, cell + 1);
    if (rows_wanted_) interpolate(out, cell, first, begin, end);
}

void Refinement::add_letters(Partition& out, std::size_t cell) {
    const Activation& phi = level_->activation;
    const std::size_t words = out.letter_words;
    const Word* left = &events_->left[cell * words];
    const auto parent = static_cast<std::uint32_t>(slice_.first + cell);
    out.letters.insert(out.letters.end(), left, left + words);
    out.parent.push_back(parent);
    for (std::size_t i = events_->first_point[cell]; i < events_->first_point[cell + 1]; ++i) {
        const Point& point = events_->points[i];
        const std::size_t at = out.letters.size();
        out.letters.resize(at + words);
        Word* letters = &out.letters[at];
        std::copy_n(letters - words, words, letters);
        for (std::size_t e = point.first_event; e < point.last_event; ++e) {
            const Event& event = events_->events[e];
            flip_bit(letters + static_cast<std::size_t>(event.threshold) * phi.words(),
                     static_cast<std::size_t>(event.neuron));
        }
        out.parent.push_back(parent);
    }
}

// The event's part of phi: its jump in slope times how far z is past the threshold.
double Refinement::hinge(std::size_t cell, const Event& event, double t) const {
    const Activation& phi = level_->activation;
    const std::size_t c = slice_.first + cell, q = static_cast<std::size_t>(event.neuron);
    const std::size_t k = static_cast<std::size_t>(event.threshold);
    const double a = from_->row(c)[q], b = from_->row(c + 1)[q], length = from_->length(c);
    const double s = length > 0 ? (t - from_->vertices[c].t) / length : 0;
    const double past = std::max(0.0, a + s * (b - a) - phi.threshold(k));
    return (phi.slope(k + 1, q) - phi.slope(k, q)) * past;
}

// Rows of the vertices strictly between `first` and `first` + (end - begin) + 1, whose events are
// those of points [begin, end): the middle one from the two ends by the chord, plus each event's
// deviation from its chord times its column; then the halves. Errors grow with the logarithm of
// the number of events, not with their number.
void Refinement::interpolate(Partition& out, std::size_t cell, std::size_t first, std::size_t begin,
                             std::size_t end) {
    if (begin == end) return;
    const std::size_t last = first + (end - begin) + 1;
    const std::size_t half = (end - begin) / 2, middle = first + half + 1;
    const double t0 = out.vertices[first].t, t1 = out.vertices[last].t;
    const double t = out.vertices[middle].t;
    const double s = t1 > t0 ? (t - t0) / (t1 - t0) : 0;
    const Activation& phi = level_->activation;
    double* row = out.row(middle);
    double kinks = 0, sizes = 0;  // sums of squares
    const std::size_t first_event = events_->points[begin].first_event;
    const std::size_t last_event = events_->points[end - 1].last_event;
    for (std::size_t i = first_event; i < last_event; ++i) {
        const Event& e = events_->events[i];
        const std::size_t q = static_cast<std::size_t>(e.neuron), c = slice_.first + cell;
        const double g0 = hinge(cell, e, t0), g1 = hinge(cell, e, t1);
        const double kink = hinge(cell, e, t) - (g0 + s * (g1 - g0));
        if (i == first_event)
            lerp_axpy(out.row(first), out.row(last), s, kink, next_->column(q), row, out.width);
        else
            axpy(kink, next_->column(q), row, out.width);
        const double size = std::abs(from_->row(c)[q]) + std::abs(from_->row(c + 1)[q]) +
                            std::abs(phi.threshold(static_cast<std::size_t>(e.threshold)));
        kinks += kink * kink;
        sizes += size * size;
    }
    // A neuron has at most one event a threshold here, so that by Cauchy-Schwarz
    // sum |w_qj kink_j| <= |w_q|_2 sqrt(thresholds) |kinks|_2.
    const double repeated = static_cast<double>(phi.thresholds());
    kinks = up(std::sqrt(repeated * kinks) + underflow);
    sizes = up(std::sqrt(repeated * sizes) + underflow);
    const double count = static_cast<double>(last_event - first_event);
    const double norm = std::max(out.norm[first], out.norm[last]);
    const double rounding = 16 * norm + (count + 8) * kinks + 64 * phi.lipschitz() * sizes;
    out.norm[middle] = up(norm + kinks);
    out.rho[middle] = up(std::max(out.rho[first], out.rho[last]) + unit_roundoff * rounding);
    spread_[middle] = up(spread_[middle] + std::max(spread_[first], spread_[last]));
    out.eps[middle] = up(std::max(base_[cell], base_[cell + 1]) + spread_[middle]);
    interpolate(out, cell, first, begin, begin + half);
    interpolate(out, cell, middle, begin + half + 1, end);
}

}  // namespace pyexpr
