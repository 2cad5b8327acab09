#include "pyexpr/referee.hpp"

#include <algorithm>
#include <mutex>
#include <thread>

namespace pyexpr {

Referee::Referee(const Network& network, const Trajectory& trajectory, std::size_t threads)
    : network_(network) {
    for (std::size_t i = 0; i < threads; ++i) {
        auto& predicates = predicates_.emplace_back(
            std::make_unique<LinePredicates>(network, trajectory.pieces));
        if (i == 0)
            predicates->poll = [this] { poll_caller(); };
        else
            predicates->poll = [this] { poll_helper(); };
    }
}

void Referee::poll_caller() {
    if (!poll_) return;
    try {
        (*poll_)();
    } catch (...) {
        interrupted_ = std::current_exception();
        stopped_ = true;
        throw Stopped{};
    }
}

void Referee::poll_helper() const {
    if (stopped_.load(std::memory_order_relaxed)) throw Stopped{};
}

// use(predicates, i) for all blocks, in any order, on several threads. Of failures the first block's
// is told, whatever the threads.
template <class Use>
void Referee::for_each_block(std::size_t count, const std::function<void()>& poll, Use&& use) {
    std::atomic<std::size_t> next = 0, failed = count;
    std::mutex mutex;
    std::exception_ptr failure;
    poll_ = &poll;
    interrupted_ = nullptr;
    stopped_ = false;
    const auto work = [&](LinePredicates& predicates) {
        for (std::size_t i = next++; i < failed; i = next++) {
            try {
                predicates.poll();
                use(predicates, i);
            } catch (const Stopped&) {
                return;
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (i >= failed) continue;
                failed = i;
                failure = std::current_exception();
            }
        }
    };
    std::vector<std::thread> helpers;
    for (std::size_t i = 1; i < std::min(predicates_.size(), count); ++i)
        helpers.emplace_back([&, i] { work(*predicates_[i]); });
    work(*predicates_[0]);
    for (std::thread& helper : helpers) helper.join();
    poll_ = nullptr;
    if (interrupted_) std::rethrow_exception(interrupted_);
    if (failure) std::rethrow_exception(failure);
}

Settled Referee::settle(const Partitions& partitions, std::size_t level,
                        const std::vector<Slice>& blocks, const std::function<void()>& poll) {
    std::vector<Events> found(blocks.size());
    for_each_block(blocks.size(), poll, [&](LinePredicates& predicates, std::size_t i) {
        found[i].find(network_, partitions, blocks[i], predicates);
    });
    Settled out;
    std::size_t cells = 0;
    for (const Events& block : found) {
        out.left.insert(out.left.end(), block.left.begin(), block.left.end());
        out.crossing.insert(out.crossing.end(), block.crossing.begin(), block.crossing.end());
        out.displacement.insert(out.displacement.end(), block.displacement.begin(),
                                block.displacement.end());
        const std::size_t first_event = out.events.size();
        const std::size_t in_block = block.first_point.size() - 1;
        for (std::size_t c = 0; c < in_block; ++c)
            for (std::size_t i = block.first_point[c]; i < block.first_point[c + 1]; ++i) {
                Point point = block.points[i];
                out.point.insert(out.point.end(), point.last_event - point.first_event,
                                 out.points.size());
                point.first_event += first_event;
                point.last_event += first_event;
                out.points.push_back(point);
                out.cell.push_back(cells + c);
            }
        out.events.insert(out.events.end(), block.events.begin(), block.events.end());
        cells += in_block;
    }
    return out;
}

std::vector<std::uint8_t> Referee::bends(const Partitions& partitions,
                                         const std::vector<Slice>& blocks,
                                         const std::function<void()>& poll) {
    std::vector<std::uint8_t> out(blocks.size());
    for_each_block(blocks.size(), poll, [&](LinePredicates& predicates, std::size_t i) {
        const Slice& two = blocks[i];
        const Partition& p = partitions[two.level];
        Slopes before, after;
        Pattern left, right;
        if (!before.measure(network_.readout(), p, two.first, End::left) ||
            !after.measure(network_.readout(), p, two.first + 1, End::left))
            throw NotFinite{network_.depth(), p.vertices[two.first].piece};
        gather_pattern(partitions, two.level, two.first, left);
        gather_pattern(partitions, two.level, two.first + 1, right);
        predicates.enter(p.vertices[two.first].piece);
        out[i] = predicates.slope_changes(before, after, left, right);
    });
    return out;
}

Predicates& Referee::piece(std::size_t number) {
    predicates_[0]->enter(number);
    return *predicates_[0];
}

Certificate Referee::take_certificate() {
    Certificate out;
    for (auto& predicates : predicates_) out += predicates->take_certificate();
    return out;
}

}  // namespace pyexpr
