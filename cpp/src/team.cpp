#include "pyexpr/team.hpp"

#include <chrono>
#include <iterator>
#include <utility>

#include "pyexpr/threads.hpp"

namespace pyexpr {

Team::Team(std::size_t threads, Sink& sink, Help help) : threads_(threads), help_(std::move(help)) {
    segments_.push_back({nullptr, &sink});
}

Team::~Team() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    changed_.notify_all();
    join();
}

void Team::start() {
    const std::lock_guard lock(mutex_);
    if (!started_) {
        helpers_ = start_threads(threads_, [this](std::size_t) { help_(*this); });
        starting_ = helpers_.size();
    }
    started_ = true;
    update_hunger();
}

void Team::arrive() {
    const std::lock_guard lock(mutex_);
    --starting_;
}

bool Team::is_hungry() const {
    if (stopped_.load(std::memory_order_relaxed)) throw Stopped{};
    return hungry_.load(std::memory_order_relaxed);
}

Segments::iterator Team::insert(Segments::iterator before) {
    std::unique_ptr<Sink> sink = segments_.front().sink->fork();
    Sink* view = sink.get();
    return segments_.insert(before, {std::move(sink), view});
}

Segments::iterator Team::insert_behind(Segments::iterator segment) {
    const std::lock_guard lock(mutex_);
    return insert(std::next(segment));
}

Segments::iterator Team::insert_before(Segments::iterator segment) {
    const std::lock_guard lock(mutex_);
    return insert(segment);
}

// One task more than is wanted lies ready, so that nobody waits until it is made.
void Team::update_hunger() {
    hungry_ = !helpers_.empty() && waiting_ + starting_ + 1 > tasks_.size();
}

void Team::give(Task task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
        ++unfinished_;
        update_hunger();
    }
    changed_.notify_one();
}

std::optional<Task> Team::take(const std::function<void()>* poll) {
    using namespace std::chrono_literals;
    std::unique_lock lock(mutex_);
    ++waiting_;
    update_hunger();
    while (tasks_.empty() && unfinished_ > 0 && !stopped_) {
        if (!poll) {
            changed_.wait(lock);
            continue;
        }
        changed_.wait_for(lock, 20ms);
        lock.unlock();
        (*poll)();
        lock.lock();
    }
    --waiting_;
    if (tasks_.empty() || stopped_) {
        update_hunger();
        return std::nullopt;
    }
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    update_hunger();
    return task;
}

void Team::finish_task() {
    const std::lock_guard lock(mutex_);
    if (--unfinished_ == 0) changed_.notify_all();
}

bool Team::may_merge(Segments::iterator a, Segments::iterator b) {
    return a->done && b->done && !a->merging && !b->merging;
}

void Team::close(Segments::iterator segment, PredicatesOf& predicates) {
    std::unique_lock lock(mutex_);
    segment->done = true;
    // Whoever merges a segment looks at its neighbours again afterwards.
    while (true) {
        Segments::iterator from = segments_.end();
        if (segment != segments_.begin() && may_merge(std::prev(segment), segment)) {
            from = segment--;
        } else if (std::next(segment) != segments_.end() &&
                   may_merge(segment, std::next(segment))) {
            from = std::next(segment);
        } else {
            return;
        }
        segment->merging = from->merging = true;
        lock.unlock();
        segment->sink->append(*from->sink, predicates);
        lock.lock();
        segments_.erase(from);
        segment->merging = false;
    }
}

void Team::add(const Certificate& certificate) {
    const std::lock_guard lock(mutex_);
    certificate_ += certificate;
}

void Team::fail() {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    stopped_ = true;
    changed_.notify_all();
}

void Team::join() {
    for (std::thread& helper : helpers_) helper.join();
    helpers_.clear();
}

Certificate Team::finish() {
    join();
    if (failure_) std::rethrow_exception(failure_);
    return certificate_;
}

}  // namespace pyexpr
