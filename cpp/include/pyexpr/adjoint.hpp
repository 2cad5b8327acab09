// The second tier, float64 on one cell: there the network is affine, and sensitivities, products of
// masked weights, say how errors and kinks of one level act on another. No norms multiply, which
// is what makes the filter's bound grow with depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pyexpr/buffer.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/partition.hpp"

namespace pyexpr {

class Adjoint {
public:
    explicit Adjoint(const Network& network) : network_(network) {}

    // >= |row - z|_q in all rows of a cell of partitions[level], of the high part alone: what
    // every level adds to the error, times the neuron's sensitivity to it. It goes back level by
    // level, until the filter's bound on what is left makes the sum at most `enough`.
    double error(const Partitions& partitions, std::size_t level, std::size_t cell,
                 std::size_t neuron, double enough);

    // >= |t - t*|, where the neuron meets the threshold in the cell at t*; infinite where the
    // slope there is not surely other than zero.
    double root_error(const Partitions& partitions, std::size_t level, std::size_t cell,
                      std::size_t neuron, std::size_t threshold, double t, double enough);

    // Whether f's slope changes between two cells across which exactly one neuron switches: whether
    // an output is sensitive to it.
    std::optional<bool> slope_changes(const Pattern& left, const Pattern& right);

private:
    // Of something to the neurons of a level: zero where they are constant.
    struct Sensitivity {
        std::vector<double> value;
        double error = 0;  // >= |error|_2
        double norm = 0;  // >= |value + error|_2
    };

    void find_active(std::size_t level, const Word* letters);
    void to_outputs(std::size_t level, std::size_t neuron);
    void to_outputs_through(const AffineMap& map);
    void to_pre_activations(std::size_t level, const Word* letters);
    bool push_forward(std::size_t level);

    const Network& network_;
    Sensitivity here_, next_;
    std::vector<double> sums_;
    Buffer scratch_;
    std::vector<std::uint32_t> active_, last_active_;  // of the level, and of the one after
    Pattern pattern_;
};

}  // namespace pyexpr
