#include "pyexpr/refinement.hpp"

#include <algorithm>
#include <cmath>

#include "pyexpr/gemm.hpp"
#include "pyexpr/kernels.hpp"
#include "pyexpr/lossless.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

// If the maps' own norms make the last level's relative error no larger, they are good enough.
constexpr double good_enough = 0x1p-16;
// Screening pays for products with so many terms, from so many vertices on, of which one of so many
// is a reference. Pre-activations are about |h| / sqrt(k) in size, relative to their row norms: where
// the outputs are farther from their chords than this part of it, few neurons can be left out.
constexpr double least_product = 4e5, near_chord = 0.75;
constexpr std::size_t least_screened = 16, reference_stride = 12;
// From so many new vertices in a cell on, going from left to right is faster than by halves; it is
// done where what it loses, relative to the outputs' norm, grows to at most this.
constexpr std::size_t least_swept = 8;
constexpr double negligible = 0x1p-28;
// Unless screening leaves out so much of the rows, they hold all.
constexpr double worth_leaving_out = 0.1;

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
                      std::vector<double>* low) {
    const Activation& phi = level.activation;
    constant.assign(next.bias(), next.bias() + next.outputs());
    if (low) low->assign(next.outputs(), 0.0);
    double squares = 0;
    std::vector<std::uint32_t> columns;
    std::vector<double> values;
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
        columns.push_back(static_cast<std::uint32_t>(q));
        values.push_back(value);
        if (low)
            next.add_column_extended(q, value, phi.offset_low(piece, q), constant.data(),
                                     low->data());
    }
    if (!low) next.add_columns(columns, values, constant.data());
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
                         const Events& events, const Wanted& wanted, Scratch& scratch) {
    level_ = &network.level(slice.level);
    next_ = &network.map(slice.level + 1);
    const bool last = slice.level + 1 == network.depth();
    after_ = last ? nullptr : &network.level(slice.level + 1).activation;
    from_ = &from;
    events_ = &events;
    slice_ = slice;
    wanted_ = wanted;
    scratch_ = &scratch;
}

void Refinement::make(Partition& out, std::size_t first, std::size_t last) {
    first_ = first;
    last_ = last;
    out.clear();
    add_vertices(out);
    if (wanted_.rows == Rows::none) return;
    find_active();
    inherited_.assign(vertices(), 0.0);
    fresh_.assign(vertices(), 0.0);
    speed_ = 0;
    if (wanted_.bounds) bound_gains();
    out.speed = speed_;
    out.width = next_->outputs();
    if (wanted_.rows == Rows::extended)
        multiply_extended(out);
    else
        multiply(out);
    if (wanted_.bounds) make_exact(out);
    bound_old_rows(out);
    for (std::size_t c = first; c < last; ++c) cut(out, c);
    out.live = active_;
}

// The vertices and cells; rows of new vertices come after those of the old ones.
void Refinement::add_vertices(Partition& out) {
    const std::size_t first_point = events_->first_point[first_];
    const std::size_t points = events_->first_point[last_] - first_point;
    const std::size_t words = level_->activation.thresholds() * level_->activation.words();
    const std::size_t cells = last_ - first_ + points;
    out.letter_words = words;
    out.vertices.reserve(cells + 1);
    out.order.reserve(cells + 1);
    out.parent.reserve(cells);
    out.letters.resize(cells * words);
    vertex_.resize(vertices());
    Word* letters = out.letters.data();
    for (std::size_t c = first_; c <= last_; ++c) {
        vertex_[c - first_] = out.vertices.size();
        out.vertices.push_back(from_->vertices[slice_.first + c]);
        out.order.push_back(static_cast<std::uint32_t>(c - first_));
        if (c == last_) break;
        const auto parent = static_cast<std::uint32_t>(slice_.first + c);
        out.parent.push_back(parent);
        std::copy_n(&events_->left[c * words], words, letters);
        for (std::size_t i = events_->first_point[c]; i < events_->first_point[c + 1]; ++i) {
            letters = add_letters(letters, words, events_->points[i]);
            out.parent.push_back(parent);
            out.vertices.push_back(events_->points[i].vertex);
            out.order.push_back(static_cast<std::uint32_t>(vertices() + i - first_point));
        }
        letters += words;
    }
}

// Those behind a point, after those before it.
Word* Refinement::add_letters(Word* letters, std::size_t words, const Point& point) const {
    std::copy_n(letters, words, letters + words);
    letters += words;
    for (std::size_t e = point.first_event; e < point.last_event; ++e) {
        const Event& event = events_->events[e];
        flip_bit(letters + static_cast<std::size_t>(event.threshold) * level_->activation.words(),
                 static_cast<std::size_t>(event.neuron));
    }
    return letters;
}

// A neuron is constant on the run if all pieces it visits there are flat.
void Refinement::find_active() {
    const Activation& phi = level_->activation;
    const std::size_t row = phi.thresholds() * phi.words();
    sometimes_.assign(row, 0);
    always_.assign(row, ~Word{0});
    for (std::size_t c = first_; c < last_; ++c)
        for (std::size_t w = 0; w < row; ++w) {
            const Word left = events_->left[c * row + w];
            const Word right = left ^ events_->crossing[c * row + w];
            sometimes_[w] |= left | right;
            always_[w] &= left & right;
        }
    pyexpr::find_active(*level_, sometimes_.data(), always_.data(), active_);
    inputs_.resize(active_.size());
    for (std::size_t i = 0; i < active_.size(); ++i)
        inputs_[i] = static_cast<std::uint32_t>(from_->place_of(active_[i]));
}

// Of what is active, phi, or the entry itself where it passes, one after another.
void Refinement::activate(const double* z, double* out) const {
    const Activation& phi = level_->activation;
    const auto passing = std::lower_bound(active_.begin(), active_.end(), phi.width());
    const auto neurons = static_cast<std::size_t>(passing - active_.begin());
    if (const auto& clamp = phi.clamp()) {
        gather_clamped(z, inputs_.data(), neurons, clamp->low, clamp->high, out);
    } else {
        for (std::size_t i = 0; i < neurons; ++i) {
            const double value = z[inputs_[i]];
            std::size_t piece = 0;
            for (std::size_t k = 0; k < phi.thresholds(); ++k) piece += value > phi.threshold(k);
            out[i] = phi.slope(piece, active_[i]) * value + phi.offset(piece, active_[i]);
        }
    }
    gather(z, &inputs_[neurons], active_.size() - neurons, out + neurons);
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
void Refinement::multiply(Partition& out) {
    const Dense* dense = next_->dense();
    constant_norm_ = pyexpr::fold_constants(*level_, *next_, &events_->left[first_letters()],
                                            active_, constant_, nullptr);
    const std::size_t k = active_.size(), inputs = next_->inputs();
    // One column more, of ones, is for the constant.
    const std::size_t width = dense ? k + 1 : inputs;
    const std::size_t terms = dense ? k + 1 : next_->terms() + next_->blocks().size() + 1;
    const double of_constant = gamma(inputs - k + 2) * (constant_norm_ + 1);
    Buffer& hidden = scratch_->hidden;
    hidden.resize(vertices() * width);
    if (!dense) {
        std::fill(hidden.begin(), hidden.end(), 0.0);
        scratch_->references.resize(k);
    }
    norm_.resize(vertices());
    rho_.resize(vertices());
    for (std::size_t v = 0; v < vertices(); ++v) {
        double* h = &hidden[v * width];
        double* values = dense ? h : scratch_->references.data();
        activate(from_->row(at(v)), values);
        const double size = wanted_.bounds ? norm_bound(values, k) : 0;
        if (dense)
            h[k] = 1;
        else
            for (std::size_t i = 0; i < k; ++i) h[active_[i]] = values[i];
        norm_[v] = up(size + constant_norm_ + 1);
        // The products in any order, and the constant's own.
        rho_[v] = up(gamma(terms) * norm_[v] + of_constant);
    }
    if (dense) {
        multiply_dense(*dense, out);
        return;
    }
    out.rows.resize(out.vertices.size() * out.width);
    next_->multiply(vertices(), hidden.data(), out.rows.data(), scratch_->weights);
    for (std::size_t v = 0; v < vertices(); ++v)
        add(constant_.data(), &out.rows[v * out.width], out.width);
}

void Refinement::multiply_dense(const Dense& dense, Partition& out) {
    const std::size_t k = active_.size(), rows = vertices();
    columns_.resize(k + 1);
    for (std::size_t i = 0; i < k; ++i) columns_[i] = dense.column(active_[i]);
    columns_[k] = constant_.data();
    const bool screened = find_references();
    const bool all = !screened && k == next_->inputs();
    gathered_ = !all;
    number_.resize(level_->entries());
    for (std::size_t i = 0; i < k; ++i) number_[active_[i]] = static_cast<std::uint32_t>(i);
    if (!all) gather_columns(out);
    if (screened) {
        screen(out);
        if (out.partial) gather_columns(out);
    }
    const std::size_t n = out.width;
    out.rows.resize(out.vertices.size() * n);
    double* y = out.rows.data();
    if (all) {
        for (std::size_t v = 0; v < rows; ++v) std::copy_n(constant_.data(), n, y + v * n);
        gemm_add(rows, n, k, scratch_->hidden.data(), k + 1, dense.columns(), n, y, n);
    } else {
        gemm(rows, n, k + 1, scratch_->hidden.data(), scratch_->weights.data(), y);
    }
    scratch_->gemm_flops += 2.0 * static_cast<double>(rows) * static_cast<double>(n * k);
}

// What the rows hold of the columns; then, of the constant.
void Refinement::gather_columns(const Partition& out) {
    const std::size_t n = out.width, k = active_.size();
    scratch_->weights.resize((k + 1) * next_->outputs());
    for (std::size_t i = 0; i <= k; ++i) {
        double* to = &scratch_->weights[i * n];
        if (out.partial)
            gather(columns_[i], out.kept.data(), n, to);
        else
            std::copy_n(columns_[i], n, to);
    }
}

// Chooses the vertices that screening refers to and measures how far from the chords between them
// the outputs are; false if it would not pay.
bool Refinement::find_references() {
    const std::size_t rows = vertices(), k = active_.size(), n = next_->outputs();
    if (wanted_.screen == Screen::nothing || rows < least_screened ||
        static_cast<double>(rows) * static_cast<double>(k * n) < least_product)
        return false;
    for (std::size_t c = first_; c < last_; ++c)
        if (from_->is_gap(slice_.first + c)) return false;
    // A multiple of four vertices is best for the product.
    const std::size_t cells = rows - 1, intervals = std::min(cells, cells / reference_stride | 3);
    references_.clear();
    for (std::size_t i = 0; i <= intervals; ++i) references_.push_back(cells * i / intervals);
    distances_.clear();
    double sum = 0;
    for (std::size_t i = 0; i < intervals; ++i) {
        distances_.push_back(distance_from_chord(references_[i], references_[i + 1]));
        sum += distances_.back() / norm_[references_[i]];
    }
    return sum * std::sqrt(static_cast<double>(k)) < near_chord * static_cast<double>(intervals);
}

// Finds the neurons of the next level that have one letter on the whole run.
void Refinement::screen(Partition& out) {
    const std::size_t k = active_.size() + 1, n = next_->outputs(), count = references_.size();
    scratch_->references.resize(count * (k + n));
    double* hidden = scratch_->references.data();
    double* rows = hidden + count * k;
    for (std::size_t i = 0; i < count; ++i)
        std::copy_n(&scratch_->hidden[references_[i] * k], k, hidden + i * k);
    gemm(count, n, k, hidden, scratch_->weights.data(), rows);
    scratch_->gemm_flops += 2.0 * static_cast<double>(count * n * k);
    screening_.begin(after_->width());
    for (std::size_t i = 0; i < count; ++i)
        screening_.add(rows + i * n, next_->row_norms(),
                       std::max(distances_[i > 0 ? i - 1 : 0], distances_[std::min(i, count - 2)]));
    screening_.finish(*after_, wanted_.screen, out.kept, out.known);
    if (static_cast<double>(out.kept.size()) >
        (1 - worth_leaving_out) * static_cast<double>(after_->width()))
        return;
    for (std::size_t q = after_->width(); q < n; ++q)
        out.kept.push_back(static_cast<std::uint32_t>(q));
    out.partial = true;
    out.width = out.kept.size();
    out.scale.resize(out.width);
    gather(next_->row_norms(), out.kept.data(), out.width, out.scale.data());
    out.place.resize(n);
    for (std::size_t i = 0; i < out.width; ++i)
        out.place[out.kept[i]] = static_cast<std::uint32_t>(i);
}

// >= how far any pre-activation of the next level, between two of the run's vertices, is from the
// chord of their rows, relative to its row norm. At an old vertex that is the distance of the
// level's outputs from their chord; inside a cell, of what its events add to the cell's own chord,
// too. The rest is what the rows are wrong by, a few times over, and how far outputs move between
// a vertex and its float.
double Refinement::distance_from_chord(std::size_t first, std::size_t last) {
    const std::size_t k = active_.size() + 1;
    const double* h = scratch_->hidden.data();
    const Vertex* vertices = &from_->vertices[at(0)];
    const double *a = h + first * k, *b = h + last * k;
    const double start = vertices[first].t, length = vertices[last].t - start;
    const double rate = length > 0 ? distance_to_chord(b, a, a, 0, k) / length : 0;
    from_chord_.assign(last - first + 1, 0.0);
    double distance = 0, eps = 0, rho = 0, norm = 0;
    for (std::size_t v = first; v <= last; ++v) {
        eps = std::max(eps, inherited_[v] + fresh_[v] + events_->displacement[first_ + v]);
        rho = std::max(rho, rho_[v]);
        norm = std::max(norm, norm_[v]);
        if (v == first || v == last) continue;
        const double s = length > 0 ? std::clamp((vertices[v].t - start) / length, 0.0, 1.0) : 0;
        from_chord_[v - first] = distance_to_chord(h + v * k, a, b, s, k);
    }
    // How fast outputs move on a cell, from how far its ends are from the chord.
    const auto speed = [&](std::size_t v) {
        const double cell = vertices[v + 1].t - vertices[v].t;
        const double ends = from_chord_[v - first] + from_chord_[v + 1 - first] + 2 * eps;
        return cell > 0 ? std::min(speed_, (rate + ends / cell) * (1 + 0x1p-20)) : speed_;
    };
    double before = speed_, kinks = 0;
    for (std::size_t v = first; v <= last; ++v) {
        const double after = v < last ? speed(v) : speed_;
        const double moved = std::min(before, after) * vertices[v].tau;
        distance = std::max(distance, from_chord_[v - first] + moved);
        if (v < last) kinks = std::max(kinks, largest_kinks(first_ + v));
        before = after;
    }
    const double errors = 8 * eps + rho + 64 * gamma(k) * norm;
    return up((distance + kinks) * (1 + 0x1p-20) + errors + underflow);
}

// How far the outputs are at most from the chord of a cell: the hinge of a neuron that is a and b
// away from its threshold at the ends is |a b| / (|a| + |b|) from it, times the jump in slope; more,
// where the true ends are not at their floats.
double Refinement::largest_kinks(std::size_t cell) const {
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    if (begin == end) return 0;
    const Activation& phi = level_->activation;
    const std::size_t c = slice_.first + cell;
    const double tau = from_->vertices[c].tau + from_->vertices[c + 1].tau;
    const double slip = from_->length(c) > 0 ? tau / from_->length(c) : 1;
    double squares = 0;
    for (std::size_t e = events_->points[begin].first_event;
         e < events_->points[end - 1].last_event; ++e) {
        const auto q = static_cast<std::size_t>(events_->events[e].neuron);
        const auto k = static_cast<std::size_t>(events_->events[e].threshold);
        const double a = std::abs(from_->value(c, q) - phi.threshold(k));
        const double b = std::abs(from_->value(c + 1, q) - phi.threshold(k));
        const double jump = std::abs(phi.slope(k + 1, q) - phi.slope(k, q));
        const double kink = jump * ((a + b > 0 ? a / (a + b) * b : 0) + slip * (a + b));
        squares += kink * kink;
    }
    return root_of_sum(squares) + (slip < 1 ? 0 : 4 * speed_ * tau);
}

// The same with everything in double-double.
void Refinement::multiply_extended(Partition& out) {
    constant_norm_ = pyexpr::fold_constants(*level_, *next_, &events_->left[first_letters()],
                                            active_, constant_, &constant_low_);
    const std::size_t n = next_->outputs();
    out.rows.resize(out.vertices.size() * n);
    out.lows.resize(out.vertices.size() * n);
    norm_.resize(vertices());
    rho_.resize(vertices());
    Buffer& hidden = scratch_->hidden;
    hidden.resize(2 * next_->inputs());
    std::fill(hidden.begin(), hidden.end(), 0.0);  // what is not active
    double *high = hidden.data(), *rest = high + next_->inputs();
    for (std::size_t v = 0; v < vertices(); ++v) {
        double *row = &out.rows[v * n], *low = &out.lows[v * n];
        std::copy_n(constant_.data(), n, row);
        std::copy_n(constant_low_.data(), n, low);
        for (const std::uint32_t q : active_) {
            const Pair h = activate(from_->entry(at(v), q), q);
            high[q] = h.high;
            rest[q] = h.low;
        }
        next_->add_extended(high, rest, row, low, scratch_->weights);
        normalise(row, low, n);
        norm_[v] = up(norm_bound(high, next_->inputs()) + constant_norm_ + 1);
        rho_[v] = up(compensated(next_->terms()) * norm_[v]);
    }
}

// The norm of the level's map from what was live to what is active on the run: in a deep network
// the product of such norms is far below that of the maps' own.
double Refinement::block_norm() const {
    const std::vector<std::uint32_t>& live = from_->live;
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
void Refinement::bound_gains() {
    const Activation& phi = level_->activation;
    const AffineMap& map = level_->map();
    double largest_eps = 0, largest_norm = 0;
    active_norms_.clear();
    for (const std::uint32_t q : active_) active_norms_.push_back(map.row_norms()[q]);
    const double frobenius = norm_bound(active_norms_.data(), active_norms_.size());
    for (std::size_t v = 0; v < vertices(); ++v) {
        largest_eps = std::max(largest_eps, from_->eps[at(v)]);
        largest_norm = std::max(largest_norm, from_->norm[at(v)]);
    }
    double norm = frobenius;
    if (largest_eps > 0) {
        norm = std::min(norm, map.spectral_norm());
        if (map.dense() && largest_eps * wanted_.growth > good_enough * largest_norm)
            norm = std::min(norm, block_norm());
    }
    const double lipschitz = level_->lipschitz();
    speed_ = up(lipschitz * (norm * from_->speed + underflow));
    for (std::size_t v = 0; v < vertices(); ++v) {
        const std::size_t from = at(v);
        // Plain rows are made from the high parts alone.
        const bool extended = wanted_.rows == Rows::extended;
        const double rho = extended ? from_->rho[from] : from_->high_rho(from);
        inherited_[v] = up(lipschitz * (norm * from_->eps[from] + frobenius * rho + underflow));
        if (extended || !phi.evaluates_exactly()) {
            const double size = lipschitz * frobenius * (from_->norm[from] + from_->alpha(from)) +
                                phi.largest_offset() * static_cast<double>(phi.width());
            fresh_[v] = 8 * unit_roundoff * (extended ? 8 * unit_roundoff : 1) * size;
        }
        fresh_[v] = up(fresh_[v] + underflow);
    }
}

void Refinement::bound_old_rows(Partition& out) const {
    for (auto* bound : {&out.local, &out.eps, &out.rho, &out.norm})
        bound->resize(out.vertices.size());
    for (std::size_t v = 0; v < vertices(); ++v) {
        const std::size_t to = vertex_[v];
        out.local[to] = up(fresh_[v] + events_->displacement[first_ + v]);
        out.eps[to] = up(inherited_[v] + out.local[to]);
        out.rho[to] = rho_[v];
        out.norm[to] = norm_[v];
    }
    for (std::size_t c = first_; c < last_; ++c)
        for (std::size_t i = events_->first_point[c]; i < events_->first_point[c + 1]; ++i)
            out.local[vertex_[c - first_] + 1 + i - events_->first_point[c]] =
                events_->points[i].displacement;
}

// Of what the rows hold.
const double* Refinement::column(std::size_t neuron, const Partition& out) const {
    const std::size_t i = number_[neuron];
    return gathered_ ? &scratch_->weights[i * out.width] : columns_[i];
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

// The old rows that float64 holds without rounding.
void Refinement::make_exact(Partition& out) {
    if (from_->partial || out.partial) return;
    for (std::size_t v = 0; v < vertices(); ++v) {
        if (!from_->is_exact(at(v)) || events_->displacement[first_ + v] != 0) continue;
        const double norm = multiply_exactly(from_->row(at(v)), out, v);
        if (norm == 0) continue;
        norm_[v] = norm;
        inherited_[v] = fresh_[v] = rho_[v] = 0;
    }
}

// Row `row` of the storage from pre-activations of the level: >= |(h, 1)|_2, or 0 if something was
// rounded.
double Refinement::multiply_exactly(const double* z, Partition& out, std::size_t row) {
    const Activation& phi = level_->activation;
    const std::size_t n = out.width;
    Lossless exact;
    exact_hidden_.assign(z, z + level_->entries());
    for (std::size_t q = 0; q < phi.width(); ++q) {
        std::size_t piece = 0;
        for (std::size_t k = 0; k < phi.thresholds(); ++k) piece += z[q] > phi.threshold(k);
        exact.require(phi.offset_low(piece, q) == 0);
        exact_hidden_[q] = exact.sum(exact.product(phi.slope(piece, q), z[q]),
                                     phi.offset(piece, q));
    }
    exact_row_.resize(n);
    if (!exact.exact() || !next_->multiply_exactly(exact_hidden_.data(), exact_row_.data()))
        return 0;
    std::copy_n(exact_row_.data(), n, &out.rows[row * n]);
    if (out.extended()) std::fill_n(&out.lows[row * n], n, 0.0);
    return up(norm_bound(exact_hidden_.data(), exact_hidden_.size()) + 1);
}

// A cell whose ends and new vertices are all exact; false if one is not.
bool Refinement::cut_exactly(Partition& out, std::size_t cell) {
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    const std::size_t c = slice_.first + cell, first = vertex_[cell - first_];
    const Vertex &from = from_->vertices[c], &to = from_->vertices[c + 1];
    if (from_->partial || out.partial || from.tau != 0 || to.tau != 0 || !from_->is_exact(c) ||
        !from_->is_exact(c + 1))
        return false;
    exact_z_.resize(level_->entries());
    for (std::size_t i = begin, v = first + 1; i < end; ++i, ++v) {
        const Point& point = events_->points[i];
        if (point.vertex.tau != 0 || point.displacement != 0) return false;
        Lossless exact;
        const double s = exact.quotient(exact.difference(point.vertex.t, from.t),
                                        exact.difference(to.t, from.t));
        for (std::size_t q = 0; q < exact_z_.size(); ++q) {
            const double a = from_->row(c)[q];
            exact_z_[q] = exact.sum(a, exact.product(s, exact.difference(from_->row(c + 1)[q], a)));
        }
        if (!exact.exact()) return false;
        const double norm = multiply_exactly(exact_z_.data(), out, out.order[v]);
        if (norm == 0) return false;
        out.norm[v] = norm;
        out.rho[v] = out.eps[v] = out.local[v] = 0;
    }
    return true;
}

// The rows at a cell's new vertices.
void Refinement::cut(Partition& out, std::size_t cell) {
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    if (begin == end || (wanted_.bounds && cut_exactly(out, cell))) return;
    if (next_->dense() && !out.extended() && end - begin >= least_swept) {
        const Kinks kinks = bound_sweep(out, cell);
        const double ends = std::max(out.norm[vertex_[cell - first_]],
                                     out.norm[vertex_[cell + 1 - first_]]);
        if (kinks.rounding * wanted_.growth_of_outputs <= negligible * ends) {
            sweep(out, cell, kinks);
            return;
        }
    }
    interpolate(out, cell, vertex_[cell - first_], begin, end, {}, {1, 0});
}

// Every term of a row goes through at most 3 additions an event and 16 more, and is, relative to the
// row norm, at most what the rows at the ends or the event's values at the ends are.
Refinement::Kinks Refinement::bound_sweep(const Partition& out, std::size_t cell) const {
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    const std::size_t first_event = events_->points[begin].first_event;
    const std::size_t last_event = events_->points[end - 1].last_event;
    double squares = 0;
    for (std::size_t e = first_event; e < last_event; ++e)
        squares += events_->events[e].size * events_->events[e].size;
    const double norm = 2 * root_of_sum(squares);
    const double ends = std::max(out.norm[vertex_[cell - first_]],
                                 out.norm[vertex_[cell + 1 - first_]]);
    const double additions = 3 * static_cast<double>(last_event - first_event) + 16;
    return {norm, up(unit_roundoff * additions * (4 * ends + 4 * norm))};
}

// From left to right: the row is start + s slope on each part of the cell, and an event by which phi
// goes from one piece to the next changes both by a multiple of its neuron's column. The slope of
// the first part is what makes the last one end in the row at the cell's right end.
void Refinement::sweep(Partition& out, std::size_t cell, const Kinks& kinks) {
    const Activation& phi = level_->activation;
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    const std::size_t first = vertex_[cell - first_], last = vertex_[cell + 1 - first_];
    const std::size_t c = slice_.first + cell, words = phi.words(), n = out.width;
    const Word* left = &events_->left[cell * phi.thresholds() * words];
    const auto events = [&](std::size_t point, auto&& use) {
        const Point& at = events_->points[point];
        for (std::size_t i = at.first_event; i < at.last_event; ++i) {
            const Event& e = events_->events[i];
            const auto q = static_cast<std::size_t>(e.neuron);
            const auto k = static_cast<std::size_t>(e.threshold);
            const double a = from_->value(c, q) - phi.threshold(k);
            const double jump = phi.slope(k + 1, q) - phi.slope(k, q);
            if (jump == 0) continue;  // such a neuron may not be active
            const double sign = get_bit(left + k * words, q) ? -jump : jump;
            use(q, sign * a, sign * (from_->value(c + 1, q) - from_->value(c, q)));
        }
    };
    start_.assign(out.row(first), out.row(first) + n);
    slope_.resize(n);
    for (std::size_t i = 0; i < n; ++i) slope_[i] = out.row(last)[i] - start_[i];
    for (std::size_t i = begin; i < end; ++i)
        events(i, [&](std::size_t q, double a, double rise) {
            axpy(-(a + rise), column(q, out), slope_.data(), n);
        });
    const double norm = phi.monotone()
                            ? up(std::hypot(norm_[cell - first_], norm_[cell + 1 - first_]))
                            : up(std::max(out.norm[first], out.norm[last]) + kinks.norm);
    const double rho = up(std::max(out.rho[first], out.rho[last]) + kinks.rounding);
    const double local = std::max(out.local[first], out.local[last]);
    const double inherited = std::max(inherited_[cell - first_], inherited_[cell + 1 - first_]);
    const Vertex* cell_ends = &from_->vertices[c];
    for (std::size_t i = begin, v = first + 1; i < end; ++i, ++v) {
        events(i, [&](std::size_t q, double a, double rise) {
            axpy_twice(a, rise, column(q, out), start_.data(), slope_.data(), n);
        });
        const Pair s = share(out.vertices[v].t, cell_ends[0].t, cell_ends[1].t);
        move_along(start_.data(), slope_.data(), s.high, out.row(v), n);
        out.norm[v] = norm;
        out.rho[v] = rho;
        out.local[v] = up(out.local[v] + local);
        out.eps[v] = up(inherited + out.local[v]);
    }
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
    const Kinks kinks = out.extended() ? add_kinks_extended(out, cell, events, span, at)
                                       : add_kinks(out, cell, events, span, at);
    out.norm[middle] = level_->activation.monotone()
                           ? up(std::hypot(norm_[cell - first_], norm_[cell + 1 - first_]))
                           : up(ends + kinks.norm);
    // The chord's own rounding, and that of the kinks.
    const double unit = unit_roundoff * (out.extended() ? 16 * unit_roundoff : 1);
    const double rounding = unit * 16 * std::max(ends, out.norm[middle]);
    out.rho[middle] = up(std::max(out.rho[first], out.rho[last]) + rounding + kinks.rounding);
    // A neuron that switches at an end does so a little beside its float: the chord misses that.
    out.local[middle] = up(out.local[middle] + std::max(out.local[first], out.local[last]));
    out.eps[middle] = up(std::max(inherited_[cell - first_], inherited_[cell + 1 - first_]) +
                         out.local[middle]);
    interpolate(out, cell, first, begin, begin + half, from, at_cell);
    interpolate(out, cell, middle, begin + half + 1, end, at_cell, to);
}

Refinement::Kinks Refinement::add_kinks(Partition& out, std::size_t cell,
                                        std::span<const Event> events, const Span& span,
                                        const Ends& at) const {
    double* row = out.row(at.middle);
    const bool dense = next_->dense() != nullptr;
    double squares = 0, size_squares = 0;
    bool begun = false;
    for (const Event& e : events) {
        const auto q = static_cast<std::size_t>(e.neuron);
        const double kink = this->kink<double>(cell, e, span);
        size_squares += e.size * e.size;
        if (kink == 0) continue;  // as where both pieces are flat: such a neuron may not be active
        squares += kink * kink;
        if (dense && !begun) {
            lerp_axpy(out.row(at.first), out.row(at.last), span.s.high, kink, column(q, out), row,
                      out.width);
        } else {
            if (!begun) lerp(out.row(at.first), out.row(at.last), span.s.high, row, out.width);
            if (dense)
                axpy(kink, column(q, out), row, out.width);
            else
                next_->add_column(q, kink, row);
        }
        begun = true;
    }
    if (!begun) lerp(out.row(at.first), out.row(at.last), span.s.high, row, out.width);
    const double count = static_cast<double>(events.size()), norm = root_of_sum(squares);
    const double units = (count + 8) * (norm + at.norm) + 64 * root_of_sum(size_squares);
    return {norm, unit_roundoff * units};
}

// The same in double-double.
Refinement::Kinks Refinement::add_kinks_extended(Partition& out, std::size_t cell,
                                                 std::span<const Event> events, const Span& span,
                                                 const Ends& at) const {
    double *row = out.row(at.middle), *low = out.low_row(at.middle);
    lerp_extended(out.row(at.first), out.low_row(at.first), out.row(at.last), out.low_row(at.last),
                  span.s, row, low, out.width);
    double squares = 0, size_squares = 0;
    for (const Event& e : events) {
        const Pair kink = this->kink<Pair>(cell, e, span);
        next_->add_column_extended(static_cast<std::size_t>(e.neuron), kink.high, kink.low, row,
                                   low);
        squares += kink.high * kink.high;
        size_squares += e.size * e.size;
    }
    normalise(row, low, out.width);
    const double norm = root_of_sum(squares);
    const double size = at.norm + norm + root_of_sum(size_squares);
    return {norm, up((compensated(events.size()) + 256 * unit_roundoff * unit_roundoff) * size)};
}

// The norm over events of one cell that bounds their part of a row: a neuron has at most one event
// a threshold, so that by Cauchy-Schwarz sum |w_qj x_j| <= |w_q|_2 sqrt(thresholds) |x|_2.
double Refinement::root_of_sum(double squares) const {
    const double thresholds = static_cast<double>(level_->activation.thresholds());
    return up(std::sqrt(thresholds * squares) + underflow);
}

}  // namespace pyexpr
