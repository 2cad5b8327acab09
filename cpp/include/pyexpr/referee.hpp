// The tiers behind the filter, for cells that were found elsewhere, as on a GPU: decides what the
// filter leaves open there, and hands cells on to a sink.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "pyexpr/certificate.hpp"
#include "pyexpr/curve_predicates.hpp"
#include "pyexpr/line_predicates.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"
#include "pyexpr/sinks.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// What Events or CurveEvents find in blocks of cells, block after block.
struct Settled {
    std::vector<Word> left;            // [cells, letter words]
    std::vector<Word> crossing;        // [cells, letter words]: what differs at the right end
    std::vector<double> displacement;  // [vertices]: of the neurons that the filter leaves open
    // In order; a point's cell counts the blocks' cells.
    std::vector<Vertex> points;
    std::vector<double> point_displacement;  // [points]
    std::vector<std::size_t> cell;           // [points]
    std::vector<std::int32_t> event_neuron, event_threshold;
    std::vector<std::size_t> point;  // [events]
};

class Referee final : public PredicatesOf {
public:
    // Both must outlive it.
    Referee(const Network& network, const Trajectory& trajectory, std::size_t threads);

    // Blocks of neighbouring cells of partitions[level], all on lines or all on one curve; the cell
    // between two blocks has the letters of the first one of the later. `poll` is called often, by
    // the caller's thread.
    Settled settle(const Partitions& partitions, std::size_t level,
                   const std::vector<Slice>& blocks, const std::function<void()>& poll);
    // Whether the output's slope changes from the first to the last cell of each block, of the last
    // partition: where the first ends and the last begins. What lies between is not read.
    std::vector<std::uint8_t> bends(const Partitions& partitions, const std::vector<Slice>& blocks,
                                    const std::function<void()>& poll);

    Predicates& piece(std::size_t number) override;
    // Of everything since the last call.
    Certificate take_certificate();

private:
    struct Stopped {};
    // Of one thread.
    struct Both {
        LinePredicates lines;
        CurvePredicates curves;
    };

    Predicates& of_piece(Both& both, std::size_t piece) const;
    template <class Use>
    void for_each_block(std::size_t count, const std::function<void()>& poll, Use&& use);
    // What predicates call, which keep it from one question to the next: by the caller's thread, and
    // by a helper.
    void poll_caller();
    void poll_helper() const;

    const Network& network_;
    const Trajectory& trajectory_;
    std::vector<std::unique_ptr<Both>> predicates_;  // [threads]
    const std::function<void()>* poll_ = nullptr;
    std::exception_ptr interrupted_;
    std::atomic<bool> stopped_ = false;
};

}  // namespace pyexpr
