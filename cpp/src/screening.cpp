#include "pyexpr/screening.hpp"

#include <limits>

#include "pyexpr/kernels.hpp"

namespace pyexpr {

void Screening::begin(std::size_t neurons) {
    least_.assign(neurons, std::numeric_limits<double>::infinity());
    most_.assign(neurons, -std::numeric_limits<double>::infinity());
    finite_ = true;
}

void Screening::add(const double* row, const double* row_norms, double distance) {
    finite_ = widen(row, row_norms, distance, least_.data(), most_.data(), least_.size()) &&
              finite_;
}

void Screening::finish(const Activation& phi, Screen screen, std::vector<std::uint32_t>& kept,
                       std::vector<Word>& known) const {
    known.assign(phi.thresholds() * phi.words(), 0);
    kept.clear();
    for (std::size_t q = 0; q < phi.width(); ++q) {
        std::size_t passed = 0, reached = 0;
        for (std::size_t k = 0; k < phi.thresholds(); ++k) {
            passed += least_[q] > phi.threshold(k);
            reached += !(most_[q] < phi.threshold(k));
        }
        // Where something overflows all are looked at closely.
        const bool sure = finite_ && passed == reached;
        if (!sure || (screen == Screen::constant && !get_bit(phi.flat(passed), q))) {
            kept.push_back(static_cast<std::uint32_t>(q));
            continue;
        }
        for (std::size_t k = 0; k < passed; ++k) set_bit(&known[k * phi.words()], q);
    }
}

}  // namespace pyexpr
