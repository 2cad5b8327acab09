#include "pyexpr/engine.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include "pyexpr/plan.hpp"
#include "pyexpr/start.hpp"
#include "pyexpr/team.hpp"

namespace pyexpr {
namespace {

// Until then a run is not shared: starting threads takes about a tenth of it.
constexpr std::chrono::microseconds soon{600};

// What all threads of a run read.
struct Run {
    const Network& network;
    const Trajectory& trajectory;
    const Options& options;
    const Plan plan;
    const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

// Cells of a level, slice by slice.
struct Queue {
    Slice cells{};
    std::size_t next = 0, slices = 0;
    // If slices were given away, where to write what comes after them.
    std::optional<Segments::iterator> resume;

    bool is_open() const { return next < slices; }
};

// A slice on its way to the next level, chunk by chunk.
struct Frame {
    Slice slice{};
    std::size_t next = 0, size = 0;  // the first cell that is left, and how many a chunk has
    // As in a queue.
    std::optional<Segments::iterator> resume;

    bool is_open() const { return next < slice.cells(); }
};

struct OnLine {
    using Level = Workspace::LineLevel;
    using AllPredicates = LinePredicates;
    static std::vector<Level>& levels(Workspace& workspace) { return workspace.line_levels; }
};

struct OnCurve {
    using Level = Workspace::CurveLevel;
    using AllPredicates = CurvePredicates;
    static std::vector<Level>& levels(Workspace& workspace) { return workspace.curve_levels; }
};

class Worker;

// Cells of one kind of pieces through all levels.
template <class Kit>
class Cascade {
public:
    Cascade(const Run& run, Worker& worker, Workspace& workspace);

    // Cells of a level, of which some may be given away meanwhile.
    void go(const Slice& slice);
    // Makes a task of the largest part that is left; false if nothing is.
    bool give();

    typename Kit::AllPredicates predicates;

private:
    void open(const Slice& slice);
    void close_slice(std::size_t level);
    Slice next_slice(Queue& queue) const;
    void take(const Slice& slice);
    void refine(const Slice& slice);
    void count(const Slice& slice);
    void make_next(Frame& frame, Partition& out);
    Screen screen(std::size_t level) const;

    const Run& run_;
    Worker& worker_;
    Workspace& workspace_;
    Partitions& partitions_;  // [depth + 1]
    std::vector<typename Kit::Level>& levels_;
    std::vector<Queue> queues_;  // [depth + 1]
    std::vector<Frame> frames_;  // [depth]
};

// One thread's part in a run.
class Worker final : public PredicatesOf {
public:
    Worker(const Run& run, Workspaces& workspaces, Sink& sink, Team* team,
           std::function<void()> poll)
        : poll(std::move(poll)),
          run_(run),
          workspaces_(workspaces),
          workspace_(workspaces.take()),
          sink_(&sink),
          team_(team) {
        workspace_->partitions.resize(run.network.depth() + 1);
        if (team) segment_ = team->first();
    }
    ~Worker() override { workspaces_.give(std::move(workspace_)); }
    Worker(const Worker&) = delete;

    // The whole trajectory.
    void lead() {
        while (next_piece_ < pieces()) {
            Partition& whole = workspace_->partitions.renew(0);
            next_group(whole);
            go({0, 0, whole.cells()});
            resume(resume_);
        }
        if (team_) team_->close(segment_, *this);
    }

    // A part of it; the rest is others' business.
    void work(const Task& task) {
        next_piece_ = pieces();
        workspace_->partitions = task.partitions;
        workspace_->partitions.resize(run_.network.depth() + 1);
        segment_ = task.segment;
        sink_ = segment_->sink;
        go(task.slice);
        team_->close(segment_, *this);
    }

    Predicates& piece(std::size_t number) override {
        Predicates* out = nullptr;
        if (std::holds_alternative<Line>(run_.trajectory.pieces[number]))
            out = &lines().predicates;
        else
            out = &curves().predicates;
        out->enter(number);
        return *out;
    }

    Certificate certificate() const {
        Certificate out;
        if (lines_) out += lines_->predicates.certificate();
        if (curves_) out += curves_->predicates.certificate();
        return out;
    }

    Sink& sink() { return *sink_; }

    // Whether a chunk should be given away. Starts the team when that is worth it.
    bool may_give() {
        if (!team_) return false;
        if (!started_ && std::chrono::steady_clock::now() - run_.start > soon) {
            team_->start();
            started_ = true;
        }
        return team_->is_hungry();
    }

    // Of the next group of pieces, if there is one.
    bool give() {
        if (next_piece_ == pieces()) return false;
        Partitions partitions;
        partitions.resize(1);
        Partition& whole = partitions.renew(0);
        next_group(whole);
        const std::size_t cells = whole.cells();
        give(std::move(partitions), {0, 0, cells}, resume_);
        return true;
    }

    void give(Partitions partitions, const Slice& slice,
              std::optional<Segments::iterator>& resume) {
        team_->give({std::move(partitions), slice, place_behind(resume)});
    }

    // Where a part of the trajectory is to be written that comes right after what is to be written
    // before `resume`, or after what is being written.
    Segments::iterator place_behind(std::optional<Segments::iterator>& resume) {
        if (!resume) resume = team_->insert_behind(segment_);
        return team_->insert_before(*resume);
    }

    // All before is written, or somebody else's task.
    void resume(std::optional<Segments::iterator>& at) {
        if (!at) return;
        team_->close(segment_, *this);
        segment_ = *at;
        sink_ = segment_->sink;
        at.reset();
    }

    void note_progress(const Partition& p, const Slice& slice) const {
        if (!run_.options.done) return;
        const double part = position(p.vertices[slice.last]) - position(p.vertices[slice.first]);
        run_.options.done->fetch_add(part / static_cast<double>(pieces()));
    }

    const std::function<void()> poll;

private:
    std::size_t pieces() const { return run_.trajectory.pieces.size(); }

    // Pieces passed.
    double position(const Vertex& vertex) const {
        double start = 0, end = 1;
        if (const auto* curve = std::get_if<RationalBezier>(
                &run_.trajectory.pieces[vertex.piece])) {
            start = curve->start;
            end = curve->end;
        }
        return vertex.piece + (vertex.t - start) / (end - start);
    }

    // Lines as many as make half a chunk, or one curve.
    void next_group(Partition& whole) {
        const auto& all = run_.trajectory.pieces;
        const std::size_t first = next_piece_++;
        if (std::holds_alternative<Line>(all[first]))
            while (next_piece_ < pieces() && next_piece_ - first < run_.options.chunk / 2 &&
                   std::holds_alternative<Line>(all[next_piece_]))
                ++next_piece_;
        start(run_.network, run_.trajectory, first, next_piece_, run_.plan.extended_levels > 0,
              whole, workspace_->scratch);
    }

    void go(const Slice& slice) {
        const Vertex& first = workspace_->partitions[slice.level].vertices[0];
        if (std::holds_alternative<Line>(run_.trajectory.pieces[first.piece]))
            lines().go(slice);
        else
            curves().go(slice);
    }

    Cascade<OnLine>& lines() {
        if (!lines_) lines_.emplace(run_, *this, *workspace_);
        return *lines_;
    }
    Cascade<OnCurve>& curves() {
        if (!curves_) curves_.emplace(run_, *this, *workspace_);
        return *curves_;
    }

    const Run& run_;
    Workspaces& workspaces_;
    std::unique_ptr<Workspace> workspace_;
    Sink* sink_;
    Team* const team_;
    Segments::iterator segment_;
    std::size_t next_piece_ = 0;
    std::optional<Segments::iterator> resume_;
    bool started_ = false;
    std::optional<Cascade<OnLine>> lines_;  // both made when first needed
    std::optional<Cascade<OnCurve>> curves_;
};

template <class Kit>
Cascade<Kit>::Cascade(const Run& run, Worker& worker, Workspace& workspace)
    : predicates(run.network, run.trajectory.pieces, run.options.certify),
      run_(run),
      worker_(worker),
      workspace_(workspace),
      partitions_(workspace.partitions),
      levels_(Kit::levels(workspace)),
      queues_(run.network.depth() + 1),
      frames_(run.network.depth()) {
    predicates.poll = worker.poll;
    levels_.resize(run.network.depth());
}

// Down and up the levels without recursion, for which a deep network's stack would be too small.
template <class Kit>
void Cascade<Kit>::go(const Slice& slice) {
    open(slice);
    for (std::size_t level = slice.level;;) {
        if (level < frames_.size() && frames_[level].is_open()) {
            Partition& made = partitions_.renew(level + 1);
            make_next(frames_[level], made);
            open({++level, 0, made.cells()});
        } else if (queues_[level].is_open()) {
            const Slice next = next_slice(queues_[level]);
            if (next.cells() > 0) take(next);
            close_slice(level);
        } else {
            if (level == slice.level) return;
            worker_.resume(frames_[--level].resume);
            close_slice(level);
        }
    }
}

// A cell with many events makes a chunk too long for one slice.
template <class Kit>
void Cascade<Kit>::open(const Slice& slice) {
    const std::size_t most = run_.options.chunk * 3 / 2;
    Queue& queue = queues_[slice.level];
    queue.cells = slice;
    queue.next = 0;
    queue.slices = (slice.cells() + most - 1) / most;
}

// Unless chunks of it are left.
template <class Kit>
void Cascade<Kit>::close_slice(std::size_t level) {
    if (level == frames_.size() || !frames_[level].is_open()) worker_.resume(queues_[level].resume);
}

// Gaps are left out where slices begin and end.
template <class Kit>
Slice Cascade<Kit>::next_slice(Queue& queue) const {
    const Partition& p = partitions_[queue.cells.level];
    const std::size_t i = queue.next++, cells = queue.cells.cells();
    Slice out = queue.cells;
    out.last = out.first + cells * (i + 1) / queue.slices;
    out.first += cells * i / queue.slices;
    while (out.first < out.last && p.is_gap(out.first)) ++out.first;
    while (out.first < out.last && p.is_gap(out.last - 1)) --out.last;
    return out;
}

template <class Kit>
void Cascade<Kit>::take(const Slice& slice) {
    worker_.poll();
    while (worker_.may_give() && (worker_.give() || give())) continue;
    if (slice.level < run_.network.depth()) {
        refine(slice);
        return;
    }
    worker_.sink().cells(partitions_, slice, worker_);
    worker_.note_progress(partitions_[slice.level], slice);
}

template <class Kit>
bool Cascade<Kit>::give() {
    for (std::size_t l = 0; l < queues_.size(); ++l) {
        if (queues_[l].is_open()) {
            const Slice slice = next_slice(queues_[l]);
            worker_.give(partitions_.up_to(l), slice, queues_[l].resume);
            return true;
        }
        if (l < frames_.size() && frames_[l].is_open()) {
            Partitions partitions = partitions_.up_to(l);
            partitions.resize(l + 2);
            Partition& made = partitions.renew(l + 1);
            make_next(frames_[l], made);
            const std::size_t cells = made.cells();
            worker_.give(std::move(partitions), {l + 1, 0, cells}, frames_[l].resume);
            return true;
        }
    }
    return false;
}

template <class Kit>
void Cascade<Kit>::refine(const Slice& slice) {
    typename Kit::Level& work = levels_[slice.level];
    work.events.find(run_.network, partitions_, slice, predicates);
    const bool last = slice.level + 1 == run_.network.depth();
    const Need need = worker_.sink().need();
    if (last && need == Need::number) {
        count(slice);
        return;
    }
    const Rows rows = last && need != Need::outputs                 ? Rows::none
                      : slice.level + 1 < run_.plan.extended_levels ? Rows::extended
                                                                    : Rows::plain;
    work.refinement.prepare(run_.network, partitions_[slice.level], slice, work.events,
                            {rows, run_.options.certify, run_.plan.growth[slice.level],
                             run_.plan.growth[slice.level + 1], screen(slice.level + 1)},
                            workspace_.scratch);
    const std::size_t total = slice.cells() + work.events.points.size();
    const std::size_t most = run_.options.chunk * 3 / 2, chunks = (total + most - 1) / most;
    Frame& frame = frames_[slice.level];
    frame.slice = slice;
    frame.next = 0;
    frame.size = (total + chunks - 1) / chunks;
}

template <class Kit>
void Cascade<Kit>::make_next(Frame& frame, Partition& out) {
    typename Kit::Level& work = levels_[frame.slice.level];
    const auto& first_point = work.events.first_point;
    const std::size_t first = frame.next;
    std::size_t& next = frame.next;
    do ++next;
    while (next < frame.slice.cells() &&
           next - first + first_point[next] - first_point[first] < frame.size);
    work.refinement.make(out, first, next);
}

// The last level's cells are counted, and not made.
template <class Kit>
void Cascade<Kit>::count(const Slice& slice) {
    const Partition& p = partitions_[slice.level];
    const auto& first_point = levels_[slice.level].events.first_point;
    for (std::size_t c = 0; c < slice.cells();) {
        const std::size_t first = c;
        const std::uint32_t piece = p.vertices[slice.first + c].piece;
        while (c < slice.cells() && !p.is_gap(slice.first + c)) ++c;
        worker_.sink().number(piece, c - first + first_point[c] - first_point[first]);
        if (c < slice.cells()) ++c;
    }
    worker_.note_progress(p, slice);
}

// What a level's rows may leave out: the last level's outputs matter only where f does.
template <class Kit>
Screen Cascade<Kit>::screen(std::size_t level) const {
    if (level == run_.network.depth()) return Screen::nothing;
    const bool last = level + 1 == run_.network.depth();
    return last && worker_.sink().need() != Need::outputs ? Screen::certain : Screen::constant;
}

// What the threads beside the caller's do.
void help(const Run& run, Workspaces& workspaces, Sink& sink, Team& team) {
    try {
        Worker worker(run, workspaces, sink, &team, [&team] { team.is_hungry(); });
        team.arrive();
        while (const auto task = team.take()) {
            worker.work(*task);
            team.finish_task();
        }
        team.add(worker.certificate());
    } catch (const Team::Stopped&) {
    } catch (...) {
        team.fail();
    }
}

Certificate run_alone(const Run& run, Sink& sink, Workspaces& workspaces) {
    Worker worker(run, workspaces, sink, nullptr, run.options.poll);
    worker.lead();
    return worker.certificate();
}

Certificate run_together(const Run& run, Sink& sink, Workspaces& workspaces) {
    Team team(run.options.threads, sink, [&](Team& its) { help(run, workspaces, sink, its); });
    try {
        const std::function<void()> poll = [&] {
            run.options.poll();
            team.is_hungry();
        };
        Worker worker(run, workspaces, sink, &team, poll);
        worker.lead();
        team.finish_task();
        while (const auto task = team.take(&poll)) {
            worker.work(*task);
            team.finish_task();
        }
        team.add(worker.certificate());
    } catch (const Team::Stopped&) {
        // Why, the helper that failed has kept.
    }
    return team.finish();
}

}  // namespace

std::size_t Workspace::bytes() const {
    std::size_t doubles = scratch.hidden.capacity() + scratch.weights.capacity() +
                          scratch.references.capacity();
    for (const CurveLevel& level : curve_levels) doubles += level.refinement.room();
    return doubles * sizeof(double) + partitions.bytes();
}

std::unique_ptr<Workspace> Workspaces::take() {
    const std::lock_guard lock(mutex_);
    if (kept_.empty()) return std::make_unique<Workspace>();
    std::unique_ptr<Workspace> out = std::move(kept_.back());
    kept_.pop_back();
    return out;
}

void Workspaces::give(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    flops_ += std::exchange(workspace->scratch.gemm_flops, 0);
    if (workspace->bytes() <= most_bytes_) kept_.push_back(std::move(workspace));
}

double Workspaces::take_flops() {
    const std::lock_guard lock(mutex_);
    return std::exchange(flops_, 0);
}

Certificate run(const Network& network, const Trajectory& trajectory, Sink& sink,
                Workspaces& workspaces, const Options& options) {
    const Run run{network, trajectory, options, Plan(network, options.certify, options.poll)};
    Certificate certificate;
    if (options.threads <= 1) {
        certificate = run_alone(run, sink, workspaces);
    } else {
        try {
            certificate = run_together(run, sink, workspaces);
        } catch (const NotFinite&) {
            // Which overflow is met first depends on the threads; alone it does not.
            const auto again = sink.fork();
            run_alone(run, *again, workspaces);
            throw;
        }
    }
    certificate += sink.finish();
    return certificate;
}

}  // namespace pyexpr
