#include "pyexpr/curve_refinement.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {

namespace {

// From so many terms on, sums are compensated.
constexpr std::size_t many_terms = 16;

// From weights on [a, 1] to those on [a, b] and on [b, 1]. All are positive, and so are their shares:
// nothing cancels, however far apart the weights are.
void split_weights(const Bernstein<Pair>& w, double a, double b, Bernstein<Pair>& left,
                   Bernstein<Pair>& right) {
    const Pair length = Pair{1} - Pair{a};
    const Pair s = b > a ? (Pair{b} - Pair{a}) / length : Pair{};
    const Pair rest = b > a ? (Pair{1} - Pair{b}) / length : Pair{1};
    split(w, [&](const Pair& x, const Pair& y) { return rest * x + s * y; }, left, right);
}

}  // namespace

WeightCutter::WeightCutter(const Bernstein<double>& w, double start) : start_(start) {
    const auto end = w.c.begin() + static_cast<std::ptrdiff_t>(w.degree) + 1;
    even_ = std::all_of(w.c.begin(), end, [&](double c) { return c == w[0]; });
    rest_.degree = w.degree;
    for (std::size_t i = 0; i <= w.degree; ++i) rest_[i] = {w[i], 0};
    Bernstein<Pair> before;
    if (!even_ && start > 0) split_weights(Bernstein<Pair>(rest_), 0, start, before, rest_);
}

Bernstein<double> WeightCutter::up_to(double stop) {
    Bernstein<Pair> part = rest_;
    if (!even_) split_weights(Bernstein<Pair>(rest_), start_, stop, part, rest_);
    start_ = stop;
    Bernstein<double> out;
    out.degree = part.degree;
    for (std::size_t i = 0; i <= part.degree; ++i) out[i] = part[i].high;
    return out;
}

void CurveRefinement::prepare(const Network& network, const Partition& from, const Slice& slice,
                              const CurveEvents& events, const Wanted& wanted, Scratch& scratch) {
    level_ = &network.level(slice.level);
    next_ = &network.map(slice.level + 1);
    from_ = &from;
    events_ = &events;
    slice_ = slice;
    wanted_ = wanted;
    if (wanted.rows == Rows::none) return;
    find_active();
    fold_constants();
    multiply(scratch);
    bound_gains();
}

// A neuron is constant on the slice if all pieces it visits there are flat.
void CurveRefinement::find_active() {
    const Activation& phi = level_->activation;
    const std::size_t row = phi.thresholds() * phi.words();
    sometimes_.assign(row, 0);
    always_.assign(row, ~Word{0});
    for (std::size_t i = 0; i < events_->left.size(); ++i) {
        sometimes_[i % row] |= events_->left[i] | events_->crossing[i];
        always_[i % row] &= events_->left[i] & ~events_->crossing[i];
    }
    pyexpr::find_active(*level_, sometimes_.data(), always_.data(), active_);
}

void CurveRefinement::fold_constants() {
    constant_norm_ = pyexpr::fold_constants(*level_, *next_, events_->left.data(), active_,
                                            constant_, &low_);
    add(low_.data(), constant_.data(), next_->outputs());
}

// What is active in `count` rows of one cell, one after another or each at its own place.
void CurveRefinement::fill_hidden(std::size_t row, std::size_t count, const Word* letters,
                                  double* out, std::size_t width) {
    const Activation& phi = level_->activation;
    const bool in_place = next_->dense() == nullptr;
    slopes_.resize(active_.size());
    offsets_.resize(active_.size());
    for (std::size_t i = 0; i < active_.size(); ++i) {
        const std::size_t q = active_[i];
        const bool neuron = q < phi.width();
        const std::size_t piece = neuron ? phi.piece(letters, q) : 0;
        slopes_[i] = neuron ? phi.slope(piece, q) : 1;
        offsets_[i] = neuron ? phi.offset(piece, q) : 0;
    }
    for (std::size_t r = row; r < row + count; ++r, out += width) {
        const double* z = from_->row(r);
        const double w = from_->weights[r];
        for (std::size_t i = 0; i < active_.size(); ++i)
            out[in_place ? active_[i] : i] = slopes_[i] * z[active_[i]] + offsets_[i] * w;
    }
}

// One product with what is active: of a single matrix, the active columns alone.
void CurveRefinement::multiply(Scratch& scratch) {
    const bool dense = next_->dense() != nullptr;
    const std::size_t k = active_.size(), n = next_->outputs(), degree = from_->degree;
    const std::size_t width = dense ? k : next_->inputs();
    const std::size_t words = level_->activation.thresholds() * level_->activation.words();
    const std::size_t first = from_->first_row(slice_.first);
    scratch.hidden.resize(rows() * width);
    if (!dense) std::fill(scratch.hidden.begin(), scratch.hidden.end(), 0.0);
    for (std::size_t c = 0; c < slice_.cells(); ++c)
        fill_hidden(first + c * degree, degree, &events_->left[c * words],
                    &scratch.hidden[c * degree * width], width);
    fill_hidden(first + rows() - 1, 1, &events_->right[(slice_.cells() - 1) * words],
                &scratch.hidden[(rows() - 1) * width], width);
    norm_.resize(rows());
    rho_.resize(rows());
    rows_.resize(rows() * n);
    const double loss = gamma(dense ? k : next_->terms() + next_->blocks().size());
    for (std::size_t r = 0; r < rows(); ++r) {
        const double size = norm_bound(&scratch.hidden[r * width], width);
        norm_[r] = up(size + (constant_norm_ + 1) * from_->weights[first + r]);
        // The products in any order; the constant, compensated, its multiple and its addition.
        rho_[r] = up(loss * size + 8 * unit_roundoff * norm_[r]);
    }
    multiply_active(*next_, active_, rows(), scratch, rows_.data());
    for (std::size_t r = 0; r < rows(); ++r)
        axpy(from_->weights[first + r], constant_.data(), &rows_[r * n], n);
}

// As for lines: eps' <= lipschitz (|W|_2 eps + |row norms|_2 rho).
void CurveRefinement::bound_gains() {
    const Activation& phi = level_->activation;
    const AffineMap& map = level_->map();
    active_norms_.clear();
    for (const std::uint32_t q : active_) active_norms_.push_back(map.row_norms()[q]);
    const double frobenius = norm_bound(active_norms_.data(), active_norms_.size());
    const double lipschitz = level_->lipschitz();
    inherited_.assign(rows(), 0.0);
    fresh_.assign(rows(), 0.0);
    double norm = frobenius;
    for (std::size_t r = 0; r < rows(); ++r)
        if (from_->eps[from_->first_row(slice_.first) + r] > 0)
            norm = std::min(frobenius, map.spectral_norm());
    gain_ = lipschitz * std::min(frobenius, map.spectral_norm());
    const double offsets = phi.largest_offset() * std::sqrt(static_cast<double>(phi.width()));
    offset_gain_ = lipschitz * frobenius + offsets + 1;
    for (std::size_t r = 0; r < rows(); ++r) {
        const std::size_t at = from_->first_row(slice_.first) + r;
        inherited_[r] = up(lipschitz *
                           (norm * from_->eps[at] + frobenius * from_->rho[at] + underflow));
        // Also an exact offset is rounded when it is multiplied by w.
        fresh_[r] = 8 * unit_roundoff * offsets * from_->weights[at];
        if (!phi.evaluates_exactly())
            fresh_[r] += 8 * unit_roundoff * lipschitz * frobenius *
                         (from_->norm[at] + from_->alpha(at));
        const std::size_t degree = from_->degree;
        if (r % degree == 0) fresh_[r] += events_->displacement[r / degree];
        fresh_[r] = up(fresh_[r] + underflow);
    }
}

// >= |d(w h, w)/du|_2 of the level's outputs where the cell's letters, or those of its parts, hold.
double CurveRefinement::speed(std::size_t cell) {
    const std::size_t c = slice_.first + cell, degree = from_->degree;
    const double length = from_->length(c), d = static_cast<double>(degree);
    // Both count how phi's offsets move with w.
    const double of_w = offset_gain_ * from_->w_speed;
    const double grown = up(gain_ * from_->speeds[c] + of_w + underflow);
    if (!(length > 0)) return grown;
    double step = 0;
    for (std::size_t i = 0; i < degree; ++i) {
        const double* a = from_->row(from_->first_row(c) + i);
        const double* b = a + from_->width;
        steps_.clear();
        for (const std::uint32_t q : active_) steps_.push_back(b[q] - a[q]);
        step = std::max(step, norm_bound(steps_.data(), steps_.size()));
    }
    const double tau = std::max(from_->vertices[c].tau, from_->vertices[c + 1].tau);
    double alpha = 0;
    for (std::size_t r = from_->first_row(c); r <= from_->first_row(c + 1); ++r)
        alpha = std::max(alpha, from_->alpha(r));
    const double error = 2 * norm_bound(active_norms_.data(), active_norms_.size()) * alpha;
    const double own = level_->lipschitz() * (step * (1 + 0x1p-20) + error + underflow) * d /
                       length * growth_beyond(tau / length, degree - 1);
    return std::min(grown, up(own + of_w));
}

void CurveRefinement::make(Partition& out, std::size_t first, std::size_t last) {
    begin(out, first, last - first + events_->first_point[last] - events_->first_point[first] + 1);
    for (std::size_t cell = first; cell < last; ++cell) append(out, cell);
    out.live = active_;
}

void CurveRefinement::begin(Partition& out, std::size_t cell, std::size_t vertices) {
    out.clear();
    out.degree = from_->degree;
    out.w = from_->w;
    out.w_speed = from_->w_speed;
    out.width = wanted_.rows == Rows::none ? 0 : next_->outputs();
    out.letter_words = level_->activation.thresholds() * level_->activation.words();
    out.rows.reserve(vertices * out.degree * out.width);
    out.vertices.push_back(from_->vertices[slice_.first + cell]);
    if (wanted_.rows != Rows::none) add_row(out, cell * out.degree);
}

// One of the old rows.
void CurveRefinement::add_row(Partition& out, std::size_t row) {
    out.local.push_back(fresh_[row]);
    out.eps.push_back(up(inherited_[row] + fresh_[row]));
    out.rho.push_back(rho_[row]);
    out.norm.push_back(norm_[row]);
    out.weights.push_back(from_->weights[from_->first_row(slice_.first) + row]);
    const std::size_t last = out.rows.size();
    out.rows.resize(last + out.width);
    std::copy_n(&rows_[row * out.width], out.width, &out.rows[last]);
}

void CurveRefinement::append(Partition& out, std::size_t cell) {
    const std::size_t degree = from_->degree, words = out.letter_words;
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    const auto parent = static_cast<std::uint32_t>(slice_.first + cell);
    const Word* left = &events_->left[cell * words];
    const Activation& phi = level_->activation;
    out.letters.insert(out.letters.end(), left, left + words);
    out.parent.push_back(parent);
    for (std::size_t i = begin; i < end; ++i) {
        const CurvePoint& point = events_->points[i];
        const std::size_t at = out.letters.size();
        out.letters.resize(at + words);
        std::copy_n(&out.letters[at - words], words, &out.letters[at]);
        for (std::size_t e = point.first_event; e < point.last_event; ++e) {
            const Vertex& v = events_->events[e].vertex;
            flip_bit(&out.letters[at + static_cast<std::size_t>(v.threshold) * phi.words()],
                     static_cast<std::size_t>(v.neuron));
        }
        out.vertices.push_back(point.vertex);
        out.parent.push_back(parent);
    }
    out.vertices.push_back(from_->vertices[slice_.first + cell + 1]);
    if (wanted_.rows == Rows::none) return;
    out.speeds.insert(out.speeds.end(), end - begin + 1, speed(cell));
    const std::size_t first_row = out.norm.size() - 1;
    if (begin == end) {
        for (std::size_t i = 1; i < degree; ++i) add_row(out, cell * degree + i);
    } else {
        const std::size_t n = out.width, more = (end - begin + 1) * degree - 1;
        const std::size_t depth = static_cast<std::size_t>(std::bit_width(end - begin)) + 1;
        spans_.resize((depth + 1) * (degree + 1) * n);
        out.rows.resize(out.rows.size() + more * n);
        for (auto* bound : {&out.local, &out.eps, &out.rho, &out.norm, &out.weights})
            bound->resize(bound->size() + more);
        const Span whole{from_->vertices[slice_.first + cell].t,
                         from_->vertices[slice_.first + cell + 1].t, begin, end, 0};
        for (std::size_t i = 0; i <= degree; ++i)
            std::copy_n(&rows_[(cell * degree + i) * n], n, span_row(0, i));
        find_kinks(cell);
        // The last one as the letters at the left end would have it.
        for (const Kink& kink : kinks_) terms_.push_back({kink.neuron, -kink.f.last()});
        add_terms(span_row(0, degree));
        std::size_t next = first_row;
        cut(out, cell, whole, next);
        bound_cut_cell(out, cell, first_row);
    }
    add_row(out, (cell + 1) * degree);
}

// What each event of the cell changes.
void CurveRefinement::find_kinks(std::size_t cell) {
    const Activation& phi = level_->activation;
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    const std::size_t c = slice_.first + cell;
    kinks_.clear();
    for (std::size_t e = events_->points[begin].first_event;
         e < events_->points[end - 1].last_event; ++e) {
        const CurveEvent& event = events_->events[e];
        const auto q = static_cast<std::size_t>(event.vertex.neuron);
        const auto k = static_cast<std::size_t>(event.vertex.threshold);
        const double slope = phi.slope(k + 1, q) - phi.slope(k, q);
        const double jump = event.rises ? slope : -slope;
        Kink kink{q, from_->margin(c, q, phi.threshold(k)), 0, 0};
        for (std::size_t i = 0; i <= kink.f.degree; ++i) {
            kink.f[i] *= jump;
            kink.norm = std::max(kink.norm, std::abs(kink.f[i]));
        }
        kink.size = std::abs(jump) * from_->margin_size(c, q, phi.threshold(k));
        kinks_.push_back(kink);
    }
}

// What the events of these points change on the span, each from where it happens on.
void CurveRefinement::add_kinks(std::size_t cell, std::size_t begin_point, std::size_t end_point,
                                const Span& span) {
    const std::size_t first = events_->points[events_->first_point[cell]].first_event;
    const Vertex* ends = &from_->vertices[slice_.first + cell];
    const double length = ends[1].t - ends[0].t, rest = ends[1].t - span.start;
    const double a = length > 0 ? (span.start - ends[0].t) / length : 0;
    const double b = rest > 0 ? (span.end - span.start) / rest : 0;
    std::vector<Bernstein<double>> parts;
    const std::size_t first_kink = events_->points[begin_point].first_event - first;
    const std::size_t last_kink = events_->points[end_point - 1].last_event - first;
    for (std::size_t k = first_kink; k < last_kink; ++k)
        parts.push_back(restrict_to(kinks_[k].f, a, b));
    for (std::size_t i = 0; i <= from_->degree; ++i) {
        for (std::size_t k = first_kink; k < last_kink; ++k)
            terms_.push_back({kinks_[k].neuron, parts[k - first_kink][i]});
        add_terms(span_row(span.depth, i));
    }
}

// Adds the terms to a row; many of them in double-double, so that their number does not matter.
void CurveRefinement::add_terms(double* row) {
    if (terms_.size() < many_terms) {
        for (const auto& [neuron, factor] : terms_) next_->add_column(neuron, factor, row);
    } else {
        low_.assign(next_->outputs(), 0.0);
        for (const auto& [neuron, factor] : terms_)
            next_->add_column_extended(neuron, factor, 0, row, low_.data());
        add(low_.data(), row, next_->outputs());
    }
    terms_.clear();
}

// Cuts a span at its middle point until no point is left inside; `next` is the row to write to.
void CurveRefinement::cut(Partition& out, std::size_t cell, const Span& span, std::size_t& next) {
    const std::size_t degree = from_->degree, n = out.width;
    if (span.begin_point == span.end_point) {
        std::copy_n(span_row(span.depth, 0), degree * n, out.row(next));
        next += degree;
        return;
    }
    const std::size_t middle = span.begin_point + (span.end_point - span.begin_point) / 2;
    const double t = events_->points[middle].vertex.t;
    const double s = span.end > span.start ? (t - span.start) / (span.end - span.start) : 0;
    // The right part in place; the left one, if it is not cut again, where it belongs.
    const bool leaf = middle == span.begin_point;
    double* left = leaf ? out.row(next) : span_row(span.depth + 1, 0);
    std::copy_n(span_row(span.depth, 0), n, left);
    for (std::size_t r = 1; r <= degree; ++r) {
        for (std::size_t i = 0; i + r <= degree; ++i)
            lerp(span_row(span.depth, i), span_row(span.depth, i + 1), s, span_row(span.depth, i),
                 n);
        if (r < degree || !leaf) std::copy_n(span_row(span.depth, 0), n, left + r * n);
    }
    if (leaf)
        next += degree;
    else
        cut(out, cell, {span.start, t, span.begin_point, middle, span.depth + 1}, next);
    const Span right{t, span.end, middle + 1, span.end_point, span.depth};
    add_kinks(cell, span.begin_point, middle + 1, right);
    cut(out, cell, right, next);
}

// All rows from `first_row` on are those of the cell's parts.
void CurveRefinement::bound_cut_cell(Partition& out, std::size_t cell, std::size_t first_row) {
    const std::size_t degree = from_->degree, first = cell * degree;
    const std::size_t begin = events_->first_point[cell], end = events_->first_point[cell + 1];
    const auto largest = [&](const std::vector<double>& bound) {
        const auto at = bound.begin() + static_cast<std::ptrdiff_t>(first);
        return *std::max_element(at, at + static_cast<std::ptrdiff_t>(degree) + 1);
    };
    std::vector<double> norms, sizes;
    for (const Kink& kink : kinks_) {
        norms.push_back(kink.norm);
        sizes.push_back(kink.size);
    }
    // A neuron has at most `degree` events a threshold: by Cauchy-Schwarz, as for lines.
    const double most = std::sqrt(static_cast<double>(degree * level_->activation.thresholds()));
    const double d = static_cast<double>(degree), count = static_cast<double>(kinks_.size());
    const double kink = up(most * norm_bound(norms.data(), norms.size()) + underflow);
    const double norm = up(largest(norm_) + kink);
    const double cuts = static_cast<double>(std::bit_width(end - begin)) + 1;
    const double rounding = unit_roundoff *
                            ((2 * count + (16 * d + 4) * cuts) * (norm + kink) +
                             32 * d * most * norm_bound(sizes.data(), sizes.size()));
    const double rho = up(largest(rho_) + rounding + underflow), inherited = largest(inherited_);
    const double local = largest(fresh_);
    const std::size_t parts = end - begin + 1;
    WeightCutter weights(from_->w, from_->vertices[slice_.first + cell].t);
    for (std::size_t part = 0, row = first_row; part < parts; ++part) {
        const double stop = out.vertices[out.vertices.size() - parts + part].t;
        const Bernstein<double> w = weights.up_to(stop);
        for (std::size_t i = 0; i < degree; ++i, ++row) {
            out.local[row] = i == 0 && part > 0
                                 ? up(local + events_->points[begin + part - 1].displacement)
                                 : local;
            out.eps[row] = up(inherited + out.local[row]);
            out.rho[row] = rho;
            out.norm[row] = norm;
            out.weights[row] = w[i];
        }
    }
}

}  // namespace pyexpr
