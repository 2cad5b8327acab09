// How wide the activation regions of a ReLU network are along a segment, and how many neurons are
// active in the widest one. Memory does not grow with the number of regions.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "pyexpr/sinks.hpp"

struct Region {
    double start = 0, end = 1;  // breakpoints, rounded to float64
    std::size_t active = 0;     // neurons

    double width() const { return end - start; }
};

struct Widths {
    std::map<int, std::int64_t> counts;  // [k]: of regions with 2^k <= width < 2^(k + 1)
    Region widest{0, 0, 0};              // the first of them

    void add(const Region& region) {
        ++counts[std::ilogb(region.width())];
        widen(region);
    }
    void add(const Widths& more) {
        for (const auto& [k, count] : more.counts) counts[k] += count;
        widen(more.widest);
    }

private:
    void widen(const Region& other) {
        const double more = other.width() - widest.width();
        if (more > 0 || (more == 0 && other.start < widest.start)) widest = other;
    }
};

// The engine gives every thread a sink for its part of the segment, so that a sink's first and last
// region may go on in its neighbours': these two are kept apart until all parts are together.
class RegionWidths final : public pyexpr::BoundarySink {
public:
    using BoundarySink::BoundarySink;
    pyexpr::Need need() const override { return pyexpr::Need::letters; }
    std::unique_ptr<Sink> fork() const override {
        return std::make_unique<RegionWidths>(network(), trajectory());
    }
    // After the run.
    Widths widths() const {
        Widths all = inner_;
        if (is_cut_) all.add(first_);
        all.add(last_);
        return all;
    }

protected:
    void begin(const pyexpr::Pattern& pattern) override { last_.active = count_active(pattern); }
    void boundary(const pyexpr::Boundary& boundary, pyexpr::Predicates& predicates) override {
        const double t = predicates.position(boundary.left, boundary.vertex);
        cut(t, {t, 1, count_active(boundary.right)});
    }
    // Where the two meet at a breakpoint, boundary() has been called for it.
    void absorb(BoundarySink& next) override {
        const auto& later = static_cast<const RegionWidths&>(next);
        if (!later.has_begun()) return;
        last_.active = (later.is_cut_ ? later.first_ : later.last_).active;
        if (!later.is_cut_) return;
        cut(later.first_.end, later.last_);
        inner_.add(later.inner_);
    }

private:
    // Ends the last region at t, where the next one begins.
    void cut(double t, const Region& next) {
        last_.end = t;
        if (is_cut_)
            inner_.add(last_);
        else
            first_ = last_;
        is_cut_ = true;
        last_ = next;
    }
    std::size_t count_active(const pyexpr::Pattern& pattern) const {
        std::size_t active = 0;
        for (const pyexpr::Layer& layer : network().layers())
            for (std::size_t q = 0; q < width(network(), layer); ++q)
                active += letter(network(), layer, pattern, q);
        return active;
    }

    Widths inner_;         // of the regions between the first and the last
    Region first_, last_;  // the first only where there are two
    bool is_cut_ = false;
};
