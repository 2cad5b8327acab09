#include "pyexpr/engine.hpp"

#include <algorithm>
#include <cmath>

#include "pyexpr/kernels.hpp"
#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

const std::vector<std::uint32_t> no_neurons;

// Plain rows are used where their rounding, grown through the levels behind, leaves the filter about
// so many questions a row.
constexpr double questions_a_row = 0x1p-8;

// By how much the maps' norms let an error grow, and which levels' rounding that makes large: the
// first levels have few cells, but what they lose grows through all that follow.
struct Plan {
    std::vector<double> growth;       // [depth]: of an error in a level's inputs up to the last
    std::size_t extended_levels = 0;  // a line's partitions before it have extended rows

    Plan(const Network& network, const Options& options) : growth(network.depth()) {
        if (!options.certify) return;
        std::size_t widest = 1;
        for (std::size_t l = 0; l < network.depth(); ++l)
            widest = std::max(widest, network.level(l).activation.width());
        const double small_error = questions_a_row / static_cast<double>(widest);
        double grown = 1;
        for (std::size_t l = network.depth(); l-- > 0;) {
            options.poll();
            const Level& level = network.level(l);
            const double lipschitz = level.lipschitz();
            const double loss = gamma(level.map().terms()) * level.map().frobenius_norm() *
                                lipschitz;
            if (extended_levels == 0 && !(loss * grown <= small_error)) extended_levels = l + 1;
            if (l > 0) growth[l] = grown *= lipschitz * level.map().spectral_norm();
        }
    }
};

// A piece as one cell; its inputs are exact, so the first level's sums are the only error.
void start(const Network& network, const Line& line, bool extended, Partition& whole,
           Scratch& scratch) {
    const AffineMap& map = network.map(0);
    const std::size_t n = map.outputs();
    whole.clear();
    whole.degree = 1;
    whole.vertices = {Vertex{}, Vertex{}};
    whole.vertices[1].t = 1;
    whole.parent = {0};
    whole.width = n;
    whole.rows.resize(2 * n);
    whole.speed = 0;
    std::vector<double> low(n);
    const std::vector<double> exact(map.inputs(), 0.0);
    for (std::size_t v = 0; v < 2; ++v) {
        const std::vector<double>& x = v == 0 ? line.x0 : line.x1;
        std::copy_n(map.bias(), n, whole.row(v));
        low.assign(n, 0.0);
        map.add_extended(x.data(), exact.data(), whole.row(v), low.data(), scratch.weights);
        const double norm = up(norm_bound(x.data(), x.size()) + 1);
        whole.norm.push_back(norm);
        whole.eps.push_back(0);
        whole.local.push_back(0);
        if (extended) {
            normalise(whole.row(v), low.data(), n);
            whole.lows.insert(whole.lows.end(), low.begin(), low.end());
            whole.rho.push_back(up(compensated(map.terms()) * norm));
        } else {
            add(low.data(), whole.row(v), n);
            whole.rho.push_back(up(4 * unit_roundoff * norm));
        }
        whole.speed += norm;  // |x1 - x0| <= |x0| + |x1|
    }
}

// The same for a curve: w x and w on its part of [0, 1].
void start(const Network& network, const RationalBezier& curve, bool, Partition& whole,
           Scratch& scratch) {
    const AffineMap& map = network.map(0);
    const std::size_t n = map.outputs(), in = map.inputs(), degree = curve.degree();
    const double d = static_cast<double>(degree);
    whole.clear();
    whole.degree = degree;
    whole.vertices = {Vertex{}, Vertex{}};
    whole.vertices[0].t = curve.start;
    whole.vertices[1].t = curve.end;
    whole.parent = {0};
    whole.width = n;
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

struct OnLine {
    using Curve = Line;
    using Level = Workspace::LineLevel;
    using AllPredicates = LinePredicates;
    static std::vector<Level>& levels(Workspace& workspace) { return workspace.line_levels; }
};

struct OnCurve {
    using Curve = RationalBezier;
    using Level = Workspace::CurveLevel;
    using AllPredicates = CurvePredicates;
    static std::vector<Level>& levels(Workspace& workspace) { return workspace.curve_levels; }
};

// One piece through all levels.
template <class Kit>
class Cascade {
public:
    Cascade(const Network& network, const Trajectory& trajectory, std::size_t number,
            const Plan& plan, Sink& sink, Workspace& workspace, const Options& options)
        : network_(network),
          piece_(trajectory.pieces[number]),
          number_(number),
          pieces_(trajectory.pieces.size()),
          plan_(plan),
          sink_(sink),
          options_(options),
          predicates_(network, piece_, options.certify),
          workspace_(workspace),
          partitions_(workspace.partitions),
          levels_(Kit::levels(workspace)) {
        predicates_.poll = options.poll;
        partitions_.resize(network.depth() + 1);
        levels_.resize(network.depth());
    }

    void run() {
        start(network_, std::get<typename Kit::Curve>(piece_), plan_.extended_levels > 0,
              partitions_[0], workspace_.scratch);
        descend({0, 0, 1});
    }

    const Certificate& certificate() const { return predicates_.certificate(); }

private:
    void descend(const Slice& slice) {
        options_.poll();
        if (options_.done) note_progress(slice);
        if (slice.level == network_.depth())
            sink_.cells(partitions_, slice, predicates_);
        else
            refine(slice);
    }

    // Slices come in order: what lies before this one is done.
    void note_progress(const Slice& slice) const {
        const double t = partitions_[slice.level].vertices[slice.first].t;
        const std::vector<Vertex>& ends = partitions_[0].vertices;
        *options_.done = (static_cast<double>(number_) +
                          (t - ends[0].t) / (ends[1].t - ends[0].t)) /
                         static_cast<double>(pieces_);
    }

    void refine(const Slice& slice) {
        typename Kit::Level& work = levels_[slice.level];
        work.events.find(network_, partitions_, slice, predicates_);
        const std::size_t total = slice.cells() + work.events.points.size();
        const bool last = slice.level + 1 == network_.depth();
        if (last && sink_.need() == Need::number) {
            sink_.number(total);
            return;
        }
        const Rows rows = last && sink_.need() != Need::outputs     ? Rows::none
                          : slice.level + 1 < plan_.extended_levels ? Rows::extended
                                                                    : Rows::plain;
        const auto& live = slice.level == 0 ? no_neurons
                                            : levels_[slice.level - 1].refinement.active();
        work.refinement.prepare(network_, partitions_[slice.level], slice, work.events, live,
                                {rows, options_.certify, plan_.growth[slice.level]},
                                workspace_.scratch);
        Partition& out = partitions_[slice.level + 1];
        const std::size_t most = options_.chunk * 3 / 2, chunks = (total + most - 1) / most;
        const std::size_t size = (total + chunks - 1) / chunks;
        for (std::size_t c = 0; c < slice.cells(); ++c) {
            if (c == 0 || out.cells() >= size) {
                if (c > 0) hand_on(slice.level + 1);
                work.refinement.begin(out, c, std::min(total, size * 3 / 2) + 1);
            }
            work.refinement.append(out, c);
        }
        hand_on(slice.level + 1);
    }

    // A cell with many events makes a chunk too long for one slice.
    void hand_on(std::size_t level) {
        const std::size_t cells = partitions_[level].cells();
        const std::size_t most = options_.chunk * 3 / 2;
        const std::size_t slices = (cells + most - 1) / most;
        for (std::size_t i = 0; i < slices; ++i)
            descend({level, cells * i / slices, cells * (i + 1) / slices});
    }

    const Network& network_;
    const Piece& piece_;
    const std::size_t number_, pieces_;
    const Plan& plan_;
    Sink& sink_;
    const Options& options_;
    typename Kit::AllPredicates predicates_;
    Workspace& workspace_;
    Partitions& partitions_;  // [depth + 1]
    std::vector<typename Kit::Level>& levels_;
};

template <class Kit>
Certificate run_piece(const Network& network, const Trajectory& trajectory, std::size_t number,
                      const Plan& plan, Sink& sink, Workspace& workspace, const Options& options) {
    Cascade<Kit> cascade(network, trajectory, number, plan, sink, workspace, options);
    cascade.run();
    return cascade.certificate();
}

}  // namespace

std::size_t Workspace::bytes() const {
    std::size_t doubles = scratch.hidden.capacity() + scratch.weights.capacity();
    for (const Partition& p : partitions) doubles += p.rows.capacity() + p.lows.capacity();
    for (const LineLevel& level : line_levels) doubles += level.refinement.room();
    for (const CurveLevel& level : curve_levels) doubles += level.refinement.room();
    return doubles * sizeof(double);
}

Certificate run(const Network& network, const Trajectory& trajectory, Sink& sink,
                Workspace& workspace, const Options& options) {
    const Plan plan(network, options);
    Certificate certificate;
    workspace.scratch.gemm_flops = 0;
    for (std::size_t i = 0; i < trajectory.pieces.size(); ++i) {
        sink.enter(i);
        const bool line = std::holds_alternative<Line>(trajectory.pieces[i]);
        certificate += (line ? run_piece<OnLine> : run_piece<OnCurve>)(network, trajectory, i, plan,
                                                                       sink, workspace, options);
    }
    certificate += sink.finish();
    return certificate;
}

}  // namespace pyexpr
