#include "pyexpr/refinement.hpp"

#include <algorithm>
#include <cmath>

#include "pyexpr/ball.hpp"
#include "pyexpr/gemm.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// If the maps' own norms make the last level's relative error no larger, they are good enough.
constexpr double good_enough = 0x1p-16;
// From so many events a cell on, sums are compensated.
constexpr std::size_t many_events = 16;

// How much of the way from `start` to `end` is done at t; none where there is no way.
Pair share(double t, double start, double end) {
    if (!(end > start)) return {};
    return (Pair{t} - Pair{start}) / (Pair{end} - Pair{start});
}

bool is_positive(double x) { return x > 0; }
bool is_positive(const Pair& x) { return x.high > 0; }

template <class Real>
Real as(const Pair& x);
template <>
double as<double>(const Pair& x) {
    return x.high;
}
template <>
Pair as<Pair>(const Pair& x) {
    return x;
}

}  // namespace

void find_active(const Level& level, const Word* sometimes, const Word* always,
                 std::vector<std::uint32_t>& out) {
    const Activation& phi = level.activation;
    const std::size_t words = phi.words();
    out.clear();
    for (std::size_t w = 0; w < words; ++w) {
        Word active = 0;
        for (std::size_t piece = 0; piece < phi.pieces(); ++piece) {
            const Word reached = piece == 0 ? ~Word{0} : sometimes[(piece - 1) * words + w];
            const Word left = piece + 1 == phi.pieces() ? ~Word{0} : ~always[piece * words + w];
            active |= reached & left & ~phi.flat(piece)[w];
        }
        active &= first_bits(phi.width() - w * 64);
        for_each_bit(active, w * 64,
                     [&](std::size_t q) { out.push_back(static_cast<std::uint32_t>(q)); });
    }
    for (std::size_t q = phi.width(); q < level.entries(); ++q)
        out.push_back(static_cast<std::uint32_t>(q));
}

double fold_constants(const Level& level, const AffineMap& next, const Word* letters,
                      const std::vector<std::uint32_t>& active, std::vector<double>& constant,
                      std::vector<double>& low) {
    const Activation& phi = level.activation;
    constant.assign(next.bias(), next.bias() + next.outputs());
    low.assign(next.outputs(), 0.0);
    double squares = 0;
    auto next_active = active.begin();
    for (std::size_t q = 0; q < phi.width(); ++q) {
        if (next_active != active.end() && *next_active == q) {
            ++next_active;
            continue;
        }
        const std::size_t piece = phi.piece(letters, q);
        const double value = phi.offset(piece, q);
        if (value == 0) continue;
        squares += value * value;
        next.add_column_extended(q, value, phi.offset_low(piece, q), constant.data(), low.data());
    }
    return up(std::sqrt(squares) + underflow);
}

void multiply_active(const AffineMap& map, const std::vector<std::uint32_t>& active,
                     std::size_t rows, Scratch& scratch, double* y) {
    const Dense* dense = map.dense();
    if (!dense) {
        map.multiply(rows, scratch.hidden.data(), y, scratch.weights);
        return;
    }
    const std::size_t k = active.size(), n = map.outputs();
    const double* columns = dense->columns();
    if (k < map.inputs()) {
        scratch.weights.resize(k * n);
        for (std::size_t i = 0; i < k; ++i)
            std::copy_n(dense->column(active[i]), n, &scratch.weights[i * n]);
        columns = scratch.weights.data();
    }
    gemm(rows, n, k, scratch.hidden.data(), columns, y);
    scratch.gemm_flops += 2.0 * static_cast<double>(rows) * static_cast<double>(n * k);
}

void Refinement::prepare(const Network& network, const Partition& from, const Slice& slice,
                         const Events& events, const std::vector<std::uint32_t>& live,
                         const Wanted& wanted, Scratch& scratch) {
    level_ = &network.level(slice.level);
    next_ = &network.map(slice.level + 1);
    from_ = &from;
    events_ = &events;
    slice_ = slice;
    wanted_ = wanted;
    if (wanted.rows == Rows::none) return;
    find_active();
    fold_constants();
    if (wanted.rows == Rows::extended)
        multiply_extended(scratch);
    else
        multiply(scratch);
    inherited_.assign(slice.cells() + 1, 0.0);
    fresh_.assign(slice.cells() + 1, 0.0);
    if (wanted.bounds) bound_gains(live);
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
    pyexpr::find_active(*level_, sometimes_.data(), always_.data(), active_);
}

void Refinement::fold_constants() {
    constant_norm_ = pyexpr::fold_constants(*level_, *next_, events_->left.data(), active_,
                                            constant_, constant_low_);
    if (wanted_.rows == Rows::plain) add(constant_low_.data(), constant_.data(), next_->outputs());
}

// Of what is active, phi, or the entry itself where it passes; one after another, or each at its
// own place.
void Refinement::activate(const double* z, double* out, bool in_place) const {
    const Activation& phi = level_->activation;
    const std::size_t width = phi.width(), thresholds = phi.thresholds();
    for (std::size_t i = 0; i < active_.size(); ++i) {
        const std::size_t q = active_[i];
        std::size_t piece = 0;
        for (std::size_t k = 0; k < thresholds; ++k) piece += z[q] > phi.threshold(k);
        const double h = q < width ? phi.slope(piece, q) * z[q] + phi.offset(piece, q) : z[q];
        out[in_place ? q : i] = h;
    }
}

Pair Refinement::activate(const Pair& z, std::size_t q) const {
    const Activation& phi = level_->activation;
    if (q >= phi.width()) return z;
    std::size_t piece = 0;
    for (std::size_t k = 0; k < phi.thresholds(); ++k)
        piece += is_positive(z - Pair{phi.threshold(k)});
    return Pair{phi.slope(piece, q)} * z + Pair{phi.offset(piece, q), phi.offset_low(piece, q)};
}

// One product with what is active: of a single matrix, the active columns alone.
void Refinement::multiply(Scratch& scratch) {
    const Dense* dense = next_->dense();
    const std::size_t vertices = slice_.cells() + 1, k = active_.size(), n = next_->outputs();
    const std::size_t width = dense ? k : next_->inputs();
    scratch.hidden.resize(vertices * width);
    if (!dense) std::fill(scratch.hidden.begin(), scratch.hidden.end(), 0.0);
    norm_.resize(vertices);
    rho_.resize(vertices);
    const double loss = gamma(dense ? k : next_->terms() + next_->blocks().size());
    for (std::size_t v = 0; v < vertices; ++v) {
        const double* z = from_->row(slice_.first + v);
        double* h = &scratch.hidden[v * width];
        activate(z, h, !dense);
        const double size = wanted_.bounds ? norm_bound(h, width) : 0;
        norm_[v] = up(size + constant_norm_ + 1);
        // The products in any order, the constant (compensated) and its addition.
        rho_[v] = up(loss * size + 4 * unit_roundoff * norm_[v]);
    }
    rows_.resize(vertices * n);
    multiply_active(*next_, active_, vertices, scratch, rows_.data());
    for (std::size_t v = 0; v < vertices; ++v) add(constant_.data(), &rows_[v * n], n);
}

// The same with everything in double-double.
void Refinement::multiply_extended(Scratch& scratch) {
    const std::size_t vertices = slice_.cells() + 1, n = next_->outputs();
    rows_.resize(vertices * n);
    lows_.resize(vertices * n);
    norm_.resize(vertices);
    rho_.resize(vertices);
    scratch.hidden.resize(2 * next_->inputs());
    std::fill(scratch.hidden.begin(), scratch.hidden.end(), 0.0);  // what is not active
    double *high = scratch.hidden.data(), *rest = high + next_->inputs();
    for (std::size_t v = 0; v < vertices; ++v) {
        double *row = &rows_[v * n], *low = &lows_[v * n];
        std::copy_n(constant_.data(), n, row);
        std::copy_n(constant_low_.data(), n, low);
        for (const std::uint32_t q : active_) {
            const Pair h = activate(from_->entry(slice_.first + v, q), q);
            high[q] = h.high;
            rest[q] = h.low;
        }
        next_->add_extended(high, rest, row, low, scratch.weights);
        normalise(row, low, n);
        norm_[v] = up(norm_bound(high, next_->inputs()) + constant_norm_ + 1);
        rho_[v] = up(compensated(next_->terms()) * norm_[v]);
    }
}

// The norm of the level's map from what was live to what is active on the slice: in a deep network
// the product of such norms is far below that of the maps' own.
double Refinement::block_norm(const std::vector<std::uint32_t>& live) const {
    Buffer block(live.size() * active_.size());
    for (std::size_t j = 0; j < live.size(); ++j) {
        const double* column = level_->map().dense()->column(live[j]);
        for (std::size_t i = 0; i < active_.size(); ++i)
            block[j * active_.size() + i] = column[active_[i]];
    }
    return spectral_norm_bound(live.size(), active_.size(), block.data(), 6);
}

// How the level turns |h error| and rounding of its inputs into |h error| of its outputs:
// eps' <= lipschitz (|W|_2 eps + |row norms|_2 rho), over the active rows and live columns.
void Refinement::bound_gains(const std::vector<std::uint32_t>& live) {
    const Activation& phi = level_->activation;
    const AffineMap& map = level_->map();
    double largest_eps = 0, largest_norm = 0;
    active_norms_.clear();
    for (std::uint32_t q : active_) active_norms_.push_back(map.row_norms()[q]);
    const double frobenius = norm_bound(active_norms_.data(), active_norms_.size());
    for (std::size_t v = slice_.first; v <= slice_.last; ++v) {
        largest_eps = std::max(largest_eps, from_->eps[v]);
        largest_norm = std::max(largest_norm, from_->norm[v]);
    }
    double norm = frobenius;
    if (largest_eps > 0) {
        norm = std::min(norm, map.spectral_norm());
        if (map.dense() && largest_eps * wanted_.growth > good_enough * largest_norm)
            norm = std::min(norm, block_norm(live));
    }
    const double lipschitz = level_->lipschitz();
    speed_ = up(lipschitz * (norm * from_->speed + underflow));
    for (std::size_t v = 0; v < fresh_.size(); ++v) {
        const std::size_t at = slice_.first + v;
        // Plain rows are made from the high parts alone.
        const bool extended = wanted_.rows == Rows::extended;
        const double rho = extended ? from_->rho[at] : from_->high_rho(at);
        inherited_[v] = up(lipschitz * (norm * from_->eps[at] + frobenius * rho + underflow));
        if (extended || !phi.evaluates_exactly()) {
            const double size = lipschitz * frobenius * (from_->norm[at] + from_->alpha(at)) +
                                phi.largest_offset() * static_cast<double>(phi.width());
            fresh_[v] = 8 * unit_roundoff * (extended ? 8 * unit_roundoff : 1) * size;
        }
        fresh_[v] = up(fresh_[v] + underflow);
    }
}

void Refinement::begin(Partition& out, std::size_t cell, std::size_t vertices) {
    out.clear();
    out.width = wanted_.rows == Rows::none ? 0 : next_->outputs();
    out.letter_words = level_->activation.thresholds() * level_->activation.words();
    out.speed = speed_;
    out.rows.reserve(vertices * out.width);
    if (wanted_.rows == Rows::extended) out.lows.reserve(vertices * out.width);
    add_old_vertex(out, cell);
}

void Refinement::add_old_vertex(Partition& out, std::size_t vertex) {
    out.vertices.push_back(from_->vertices[slice_.first + vertex]);
    if (wanted_.rows == Rows::none) return;
    out.local.push_back(up(fresh_[vertex] + events_->displacement[vertex]));
    out.eps.push_back(up(inherited_[vertex] + out.local.back()));
    out.rho.push_back(rho_[vertex]);
    out.norm.push_back(norm_[vertex]);
    const std::size_t last = out.vertices.size() - 1, width = out.width;
    out.rows.resize((last + 1) * width);
    std::copy_n(&rows_[vertex * width], width, out.row(last));
    if (wanted_.rows == Rows::plain) return;
    out.lows.resize((last + 1) * width);
    std::copy_n(&lows_[vertex * width], width, out.low_row(last));
}

void Refinement::append(Partition& out, std::size_t cell) {
    add_letters(out, cell);
    const std::size_t first = out.vertices.size() - 1;
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    for (std::size_t i = begin; i < end; ++i) {
        out.vertices.push_back(events_->points[i].vertex);
        if (wanted_.rows == Rows::none) continue;
        out.local.push_back(events_->points[i].displacement);
        out.eps.push_back(0);
        out.rho.push_back(0);
        out.norm.push_back(0);
    }
    add_old_vertex(out, cell + 1);
    if (wanted_.rows != Rows::none) interpolate(out, cell, first, begin, end, {}, {1, 0});
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

// The event's part of phi at t, its jump in slope times how far z is past the threshold, less its
// chord between the ends of a span.
template <class Real>
Real Refinement::kink(std::size_t cell, const Event& event, const Span& span) const {
    const Activation& phi = level_->activation;
    const std::size_t c = slice_.first + cell, q = static_cast<std::size_t>(event.neuron);
    const std::size_t k = static_cast<std::size_t>(event.threshold);
    const Real a = as<Real>(from_->entry(c, q)), rise = as<Real>(from_->entry(c + 1, q)) - a;
    const Real jump = Real{phi.slope(k + 1, q)} - Real{phi.slope(k, q)};
    const Real threshold{phi.threshold(k)};
    const auto hinge = [&](const Pair& way) {
        const Real past = a + as<Real>(way) * rise - threshold;
        return is_positive(past) ? jump * past : Real{};
    };
    const Real first = hinge(span.from);
    return hinge(span.at) - (first + as<Real>(span.s) * (hinge(span.to) - first));
}

// Rows of the vertices strictly between `first` and `first` + (end - begin) + 1, whose events are
// those of points [begin, end): the middle one from the two ends by the chord, plus each event's
// deviation from its chord times its column; then the halves. Errors grow with the logarithm of
// the number of events, not with their number.
void Refinement::interpolate(Partition& out, std::size_t cell, std::size_t first, std::size_t begin,
                             std::size_t end, const Pair& from, const Pair& to) {
    if (begin == end) return;
    const std::size_t last = first + (end - begin) + 1;
    const std::size_t half = (end - begin) / 2, middle = first + half + 1;
    const double t = out.vertices[middle].t;
    const Vertex* ends_of_cell = &from_->vertices[slice_.first + cell];
    const Pair at_cell = share(t, ends_of_cell[0].t, ends_of_cell[1].t);
    const bool whole = begin == events_->first_point[cell] && end == events_->first_point[cell + 1];
    const Span span{from, to, at_cell,
                    whole ? at_cell : share(t, out.vertices[first].t, out.vertices[last].t)};
    const Event* all = events_->events.data();
    const std::span<const Event> events(all + events_->points[begin].first_event,
                                        all + events_->points[end - 1].last_event);
    // A monotone neuron stays between its values at the cell's ends.
    const double ends = std::max(out.norm[first], out.norm[last]);
    const Ends at{first, last, middle, ends};
    Kinks kinks;
    if (out.extended())
        kinks = add_kinks_extended(out, cell, events, span, at);
    else if (events.size() < many_events)
        kinks = add_kinks(out, cell, events, span, at);
    else
        kinks = add_many_kinks(out, cell, events, span, at);
    out.norm[middle] = level_->activation.monotone() ? up(std::hypot(norm_[cell], norm_[cell + 1]))
                                                     : up(ends + kinks.norm);
    // The chord's own rounding, and that of the kinks.
    const double unit = unit_roundoff * (out.extended() ? 16 * unit_roundoff : 1);
    const double rounding = unit * 16 * std::max(ends, out.norm[middle]);
    out.rho[middle] = up(std::max(out.rho[first], out.rho[last]) + rounding + kinks.rounding);
    // A neuron that switches at an end does so a little beside its float: the chord misses that.
    out.local[middle] = up(out.local[middle] + std::max(out.local[first], out.local[last]));
    out.eps[middle] = up(std::max(inherited_[cell], inherited_[cell + 1]) + out.local[middle]);
    interpolate(out, cell, first, begin, begin + half, from, at_cell);
    interpolate(out, cell, middle, begin + half + 1, end, at_cell, to);
}

Refinement::Kinks Refinement::add_kinks(Partition& out, std::size_t cell,
                                        std::span<const Event> events, const Span& span,
                                        const Ends& at) const {
    const Dense* dense = next_->dense();
    double squares = 0, size_squares = 0;
    for (const Event& e : events) {
        const auto q = static_cast<std::size_t>(e.neuron);
        const double kink = this->kink<double>(cell, e, span);
        if (&e == events.data() && dense) {
            lerp_axpy(out.row(at.first), out.row(at.last), span.s.high, kink, dense->column(q),
                      out.row(at.middle), out.width);
        } else {
            if (&e == events.data())
                lerp(out.row(at.first), out.row(at.last), span.s.high, out.row(at.middle),
                     out.width);
            next_->add_column(q, kink, out.row(at.middle));
        }
        squares += kink * kink;
        size_squares += e.size * e.size;
    }
    const double count = static_cast<double>(events.size()), norm = root_of_sum(squares);
    const double units = (count + 8) * (norm + at.norm) + 64 * root_of_sum(size_squares);
    return {norm, unit_roundoff * units};
}

// The kinks in double-double: the error of a plain sum grows with the number of events.
Refinement::Kinks Refinement::add_many_kinks(Partition& out, std::size_t cell,
                                             std::span<const Event> events, const Span& span,
                                             const Ends& at) {
    double* row = out.row(at.middle);
    lerp(out.row(at.first), out.row(at.last), span.s.high, row, out.width);
    low_.assign(out.width, 0.0);
    const Kinks kinks = add_compensated(cell, events, span, at.norm, row, low_.data());
    add(low_.data(), row, out.width);
    return kinks;
}

// All in double-double.
Refinement::Kinks Refinement::add_kinks_extended(Partition& out, std::size_t cell,
                                                 std::span<const Event> events, const Span& span,
                                                 const Ends& at) const {
    double *row = out.row(at.middle), *low = out.low_row(at.middle);
    lerp_extended(out.row(at.first), out.low_row(at.first), out.row(at.last), out.low_row(at.last),
                  span.s, row, low, out.width);
    const Kinks kinks = add_compensated(cell, events, span, at.norm, row, low);
    normalise(row, low, out.width);
    return kinks;
}

// (row, low) += kinks
Refinement::Kinks Refinement::add_compensated(std::size_t cell, std::span<const Event> events,
                                              const Span& span, double chord, double* row,
                                              double* low) const {
    double squares = 0, size_squares = 0;
    for (const Event& e : events) {
        const Pair kink = this->kink<Pair>(cell, e, span);
        next_->add_column_extended(static_cast<std::size_t>(e.neuron), kink.high, kink.low, row,
                                   low);
        squares += kink.high * kink.high;
        size_squares += e.size * e.size;
    }
    const double norm = root_of_sum(squares);
    const double size = chord + norm + root_of_sum(size_squares);
    return {norm, up((compensated(events.size()) + 256 * unit_roundoff * unit_roundoff) * size)};
}

// The norm over events of one cell that bounds their part of a row: a neuron has at most one event
// a threshold, so that by Cauchy-Schwarz sum |w_qj x_j| <= |w_q|_2 sqrt(thresholds) |x|_2.
double Refinement::root_of_sum(double squares) const {
    const double thresholds = static_cast<double>(level_->activation.thresholds());
    return up(std::sqrt(thresholds * squares) + underflow);
}

}  // namespace pyexpr
