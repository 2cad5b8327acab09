// Which neurons of the next level have one letter on a whole run of cells: these need no row. A few
// vertices, the references, get rows of everything; between two of them the level's outputs stay
// within some distance of their chord, and a neuron's pre-activation within that times its row norm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/activation.hpp"
#include "pyexpr/bits.hpp"

namespace pyexpr {

// What may be left out: nothing, neurons that are constant, or all whose letters are known.
enum class Screen { nothing, constant, certain };

class Screening {
public:
    // Starts with bounds that nothing is known of.
    void begin(std::size_t neurons);
    // One more reference row; `distance`: how far, relative to its row norm, a pre-activation may be
    // from the rows of this reference and its neighbours anywhere between them.
    void add(const double* row, const double* row_norms, double distance);
    // The neurons that stay, ascending; `known` ([letter words]) are the letters of the others.
    void finish(const Activation& phi, Screen screen, std::vector<std::uint32_t>& kept,
                std::vector<Word>& known) const;

private:
    std::vector<double> least_, most_;  // [neurons]
    bool finite_ = true;
};

}  // namespace pyexpr
