#include "pyexpr/referee.hpp"

#include <algorithm>
#include <mutex>
#include <thread>
#include <variant>

#include "pyexpr/curve_events.hpp"
#include "pyexpr/events.hpp"
#include "pyexpr/threads.hpp"

namespace pyexpr {
namespace {

std::vector<Word> changes(const Events& found) { return found.crossing; }

// On a curve a neuron may cross a threshold and come back.
std::vector<Word> changes(const CurveEvents& found) {
    std::vector<Word> out = found.left;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= found.right[i];
    return out;
}

std::pair<std::int32_t, std::int32_t> meeting(const Event& event) {
    return {event.neuron, event.threshold};
}

std::pair<std::int32_t, std::int32_t> meeting(const CurveEvent& event) {
    return {event.vertex.neuron, event.vertex.threshold};
}

// Behind what other blocks, of so many cells, found.
template <class AnyEvents>
void append(const AnyEvents& block, std::size_t cells, Settled& out) {
    const auto add = [](const auto& more, auto& all) {
        all.insert(all.end(), more.begin(), more.end());
    };
    add(block.left, out.left);
    add(changes(block), out.crossing);
    add(block.displacement, out.displacement);
    for (std::size_t c = 0; c + 1 < block.first_point.size(); ++c)
        for (std::size_t i = block.first_point[c]; i < block.first_point[c + 1]; ++i) {
            const auto& point = block.points[i];
            for (std::size_t e = point.first_event; e < point.last_event; ++e) {
                const auto [neuron, threshold] = meeting(block.events[e]);
                out.event_neuron.push_back(neuron);
                out.event_threshold.push_back(threshold);
                out.point.push_back(out.points.size());
            }
            out.points.push_back(point.vertex);
            out.point_displacement.push_back(point.displacement);
            out.cell.push_back(cells + c);
        }
}

template <class AnyEvents>
Settled together(const std::vector<AnyEvents>& found) {
    Settled out;
    std::size_t cells = 0;
    for (const AnyEvents& block : found) {
        append(block, cells, out);
        cells += block.first_point.size() - 1;
    }
    return out;
}

}  // namespace

Referee::Referee(const Network& network, const Trajectory& trajectory, std::size_t threads)
    : network_(network), trajectory_(trajectory) {
    for (std::size_t i = 0; i < threads; ++i) {
        Both& both = *predicates_.emplace_back(
            new Both{LinePredicates(network, trajectory.pieces),
                     CurvePredicates(network, trajectory.pieces, true)});
        std::function<void()> poll = [this] { poll_helper(); };
        if (i == 0) poll = [this] { poll_caller(); };
        both.lines.poll = both.curves.poll = poll;
    }
}

// Has entered it.
Predicates& Referee::of_piece(Both& both, std::size_t piece) const {
    Predicates* out = &both.curves;
    if (std::holds_alternative<Line>(trajectory_.pieces[piece])) out = &both.lines;
    out->enter(piece);
    return *out;
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
    const auto work = [&](Both& predicates) {
        for (std::size_t i = next++; i < failed; i = next++) {
            try {
                predicates.lines.poll();
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
    auto helpers = start_threads(std::min(predicates_.size(), count),
                                 [&](std::size_t i) { work(*predicates_[i]); });
    work(*predicates_[0]);
    for (std::thread& helper : helpers) helper.join();
    poll_ = nullptr;
    if (interrupted_) std::rethrow_exception(interrupted_);
    if (failure) std::rethrow_exception(failure);
}

Settled Referee::settle(const Partitions& partitions, std::size_t level,
                        const std::vector<Slice>& blocks, const std::function<void()>& poll) {
    if (blocks.empty()) return {};
    const std::size_t piece = partitions[level].vertices[blocks.front().first].piece;
    if (std::holds_alternative<Line>(trajectory_.pieces[piece])) {
        std::vector<Events> found(blocks.size());
        for_each_block(blocks.size(), poll, [&](Both& predicates, std::size_t i) {
            found[i].find(network_, partitions, blocks[i], predicates.lines);
        });
        return together(found);
    }
    std::vector<CurveEvents> found(blocks.size());
    for_each_block(blocks.size(), poll, [&](Both& predicates, std::size_t i) {
        found[i].find(network_, partitions, blocks[i], predicates.curves);
    });
    return together(found);
}

std::vector<std::uint8_t> Referee::bends(const Partitions& partitions,
                                         const std::vector<Slice>& blocks,
                                         const std::function<void()>& poll) {
    std::vector<std::uint8_t> out(blocks.size());
    for_each_block(blocks.size(), poll, [&](Both& predicates, std::size_t i) {
        const Slice& block = blocks[i];
        const Partition& p = partitions[block.level];
        const std::size_t piece = p.vertices[block.first].piece;
        Slopes before, after;
        Pattern left, right;
        if (!before.measure(network_.readout(), p, block.first, End::right) ||
            !after.measure(network_.readout(), p, block.last - 1, End::left))
            throw NotFinite{network_.depth(), piece};
        gather_pattern(partitions, block.level, block.first, left);
        gather_pattern(partitions, block.level, block.last - 1, right);
        out[i] = of_piece(predicates, piece).slope_changes(before, after, left, right);
    });
    return out;
}

Predicates& Referee::piece(std::size_t number) { return of_piece(*predicates_[0], number); }

Certificate Referee::take_certificate() {
    Certificate out;
    for (auto& both : predicates_) {
        out += both->lines.take_certificate();
        out += both->curves.take_certificate();
    }
    return out;
}

}  // namespace pyexpr
