#include "pyexpr/batch.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "pyexpr/threads.hpp"

namespace pyexpr {
namespace {

// A sink for each of the pieces, which are apart.
class Apart final : public Sink {
public:
    Apart(std::size_t pieces, const MakeSink& make_sink, const Trajectory& line)
        : make_sink_(make_sink), line_(line), sinks_(pieces) {
        for (auto& sink : sinks_) sink = make_sink(line);
    }

    Need need() const override { return sinks_.front()->need(); }
    void number(std::size_t piece, std::size_t cells) override {
        sinks_[piece]->number(piece, cells);
    }
    void cells(const Partitions& partitions, const Slice& slice,
               PredicatesOf& predicates) override {
        const Partition& p = partitions[slice.level];
        for (std::size_t c = slice.first; c < slice.last; ++c) {
            const std::size_t first = c;
            while (c < slice.last && !p.is_gap(c)) ++c;
            sinks_[p.vertices[first].piece]->cells(partitions, {slice.level, first, c}, predicates);
        }
    }
    std::unique_ptr<Sink> fork() const override {
        return std::make_unique<Apart>(sinks_.size(), make_sink_, line_);
    }
    void append(Sink& next, PredicatesOf& predicates) override {
        auto& later = static_cast<Apart&>(next);
        for (std::size_t i = 0; i < sinks_.size(); ++i)
            sinks_[i]->append(*later.sinks_[i], predicates);
    }
    const Sink& sink(std::size_t piece) const { return *sinks_[piece]; }

private:
    const MakeSink& make_sink_;
    const Trajectory& line_;
    std::vector<std::unique_ptr<Sink>> sinks_;
};

// All that the threads share.
class Batch {
public:
    Batch(const Network& network, std::size_t count, const Lines& lines, const MakeSink& make_sink,
          const Report& report, Workspaces& workspaces, const Options& options)
        : network_(network),
          count_(count),
          lines_(lines),
          make_sink_(make_sink),
          report_(report),
          workspaces_(workspaces),
          options_(options),
          // Whatever the threads: the same lines always share their products.
          size_(options.chunk / 2),
          groups_((count + size_ - 1) / size_),
          failed_(groups_),
          one_line_{{lines(0)}, false} {}

    Certificate run() {
        // Few groups are shared themselves.
        if (options_.threads == 1 || groups_ < 2 * options_.threads) return one_by_one();
        auto helpers = start_threads(options_.threads, [this](std::size_t) { help(); });
        std::exception_ptr interrupted;
        try {
            work([this] { options_.poll(); });
        } catch (...) {
            interrupted = std::current_exception();
            stopped_ = true;
        }
        for (std::thread& helper : helpers) helper.join();
        if (interrupted) std::rethrow_exception(interrupted);
        if (failure_) std::rethrow_exception(failure_);
        return certificate_;
    }

private:
    struct Stopped {};

    Certificate one_by_one() {
        Certificate out;
        for (std::size_t g = 0; g < groups_; ++g)
            out += run_group(g, options_.poll, options_.threads);
        return out;
    }

    void help() {
        try {
            work([this] {
                if (stopped_.load(std::memory_order_relaxed)) throw Stopped{};
            });
        } catch (const Stopped&) {
        } catch (...) {
            keep_failure(0);
            stopped_ = true;
        }
    }

    void work(const std::function<void()>& poll) {
        Certificate certificate;
        // Groups before one that failed go on, so that the first failure does not depend on the
        // threads.
        for (std::size_t g = next_++; g < failed_; g = next_++) {
            try {
                certificate += run_group(g, poll, 1);
            } catch (const NotFinite&) {
                keep_failure(g);
            }
        }
        const std::lock_guard lock(mutex_);
        certificate_ += certificate;
    }

    void keep_failure(std::size_t group) {
        const std::lock_guard lock(mutex_);
        if (failure_ && group >= failed_) return;
        failed_ = group;
        failure_ = std::current_exception();
    }

    Certificate run_group(std::size_t group, const std::function<void()>& poll,
                          std::size_t threads) {
        const std::size_t first = group * size_, last = std::min(count_, first + size_);
        Trajectory trajectory;
        for (std::size_t i = first; i < last; ++i) trajectory.pieces.emplace_back(lines_(i));
        Apart sink(last - first, make_sink_, one_line_);
        try {
            const Certificate out = pyexpr::run(network_, trajectory, sink, workspaces_,
                                                {.chunk = options_.chunk,
                                                 .threads = threads,
                                                 .poll = poll,
                                                 .certify = options_.certify});
            for (std::size_t i = first; i < last; ++i) report_(i, sink.sink(i - first));
            if (options_.done)
                options_.done->fetch_add(static_cast<double>(last - first) /
                                         static_cast<double>(count_));
            return out;
        } catch (const NotFinite& error) {
            throw NotFinite{error.level, first + error.piece};
        }
    }

    const Network& network_;
    const std::size_t count_;
    const Lines& lines_;
    const MakeSink& make_sink_;
    const Report& report_;
    Workspaces& workspaces_;
    const Options& options_;
    const std::size_t size_, groups_;  // lines of a group
    std::atomic<std::size_t> next_ = 0, failed_;  // groups
    const Trajectory one_line_;  // what a sink is made for: any line
    std::atomic<bool> stopped_ = false;
    std::mutex mutex_;
    std::exception_ptr failure_;
    Certificate certificate_;
};

}  // namespace

Certificate run_lines(const Network& network, std::size_t count, const Lines& lines,
                      const MakeSink& make_sink, const Report& report, Workspaces& workspaces,
                      const Options& options) {
    if (count == 0) return {};
    return Batch(network, count, lines, make_sink, report, workspaces, options).run();
}

}  // namespace pyexpr
