// Threads that share the work of one run, and what they find in the order of the trajectory.
//
// The trajectory's cells are dealt out as tasks: slices with all partitions that lead to them. Each
// part of the trajectory that one thread goes through without a break is a segment with a sink of
// its own; segments form a list in the order of the trajectory, and neighbours that are done become
// one. So nothing depends on the number of threads, or on who did what.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "pyexpr/certificate.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/sinks.hpp"

namespace pyexpr {

struct Segment {
    std::unique_ptr<Sink> owned;
    Sink* sink;
    bool done = false, merging = false;
};
using Segments = std::list<Segment>;

struct Task {
    Partitions partitions;  // up to the slice's level
    Slice slice;
    Segments::iterator segment;
};

class Team {
public:
    // What a helper does until the team has no more tasks.
    using Help = std::function<void(Team&)>;

    // `sink` is that of the whole trajectory.
    Team(std::size_t threads, Sink& sink, Help help);
    // Stops and waits for all helpers.
    ~Team();

    // The first segment, for whoever starts.
    Segments::iterator first() { return segments_.begin(); }
    // Starts the helpers, once; few threads are not worth it for a short run.
    void start();
    // A helper is about to ask for its first task; from start() on it counts as one that waits.
    void arrive();
    // Whether somebody waits for a task. Throws Stopped if the run is to stop.
    bool is_hungry() const;
    // An empty segment right behind this one, or right before it.
    Segments::iterator insert_behind(Segments::iterator segment);
    Segments::iterator insert_before(Segments::iterator segment);
    void give(Task task);
    // A task, when there is one; none when all are finished. Meanwhile `poll` is called, if given.
    std::optional<Task> take(const std::function<void()>* poll = nullptr);
    // The thread has finished the task, or the part with which the run began.
    void finish_task();
    // Nothing more will be written to the segment.
    void close(Segments::iterator segment, PredicatesOf& predicates);
    void add(const Certificate& certificate);
    // Makes all others stop; keeps the exception that is being handled if it is the first.
    void fail();
    // Waits for all, throws what was kept, or else tells all that was added.
    Certificate finish();

    struct Stopped {};

private:
    Segments::iterator insert(Segments::iterator before);
    void join();
    void update_hunger();
    // Whether both are done and nobody is at them.
    bool may_merge(Segments::iterator a, Segments::iterator b);

    const std::size_t threads_;
    const Help help_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::thread> helpers_;
    bool started_ = false;
    std::list<Task> tasks_;
    Segments segments_;
    std::size_t unfinished_ = 1, waiting_ = 0, starting_ = 0;
    std::atomic<bool> hungry_ = false, stopped_ = false;
    std::exception_ptr failure_;
    Certificate certificate_;
};

}  // namespace pyexpr
