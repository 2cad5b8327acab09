// What was decided, and by which tier.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace pyexpr {

// How many decisions of a kind were taken, how many of them by each tier after the filter, and how
// near to a tie the closest one that is no tie was.
struct Tally {
    std::int64_t asked = 0, proportional = 0, adjoint = 0, extended = 0, exact = 0;
    double gap = std::numeric_limits<double>::infinity();

    // 0 is a tie; what is no number tells nothing.
    void note_gap(double size) {
        if (size > 0) gap = std::min(gap, size);
    }
    Tally& operator+=(const Tally& other) {
        asked += other.asked;
        proportional += other.proportional;
        adjoint += other.adjoint;
        extended += other.extended;
        exact += other.exact;
        gap = std::min(gap, other.gap);
        return *this;
    }
};

// Gaps are relative. Of a sign: |z - threshold| to |(w, b)|_2 |(h, 1)|_2. Of an order: the
// distance in t. Of slopes: their difference to the larger, for an output where they differ; the
// adjoint tier does not work out this difference.
// Positions (rounded breakpoints) have none.
struct Certificate {
    Tally signs, orders, slopes, positions;

    Certificate& operator+=(const Certificate& other) {
        signs += other.signs;
        orders += other.orders;
        slopes += other.slopes;
        positions += other.positions;
        return *this;
    }
};

}  // namespace pyexpr
