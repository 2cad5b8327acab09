#include "pyexpr/root_isolation.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "pyexpr/rounding.hpp"

namespace pyexpr {
namespace {

constexpr int most_halvings = 48;
// What halving loses of where a segment's ends are.
constexpr double end_error = 2 * most_halvings * unit_roundoff;

struct Segment {
    Bernstein<double> f;
    double low, high;
    int halvings;
};

// Where a monotone polynomial with different signs at 0 and 1 vanishes, about.
double find_root(const Bernstein<double>& f) {
    const double a = f[0], b = f.last();
    if (f.degree == 1) return a / (a - b);
    if (f.degree == 2) {
        // Of the two forms of a quadratic's root, the one in which nothing cancels.
        const double half = f[1] - a, curve = (a - f[1]) - (f[1] - b);
        const double root = std::sqrt(std::max(0.0, half * half - curve * a));
        return std::clamp(-a / (half + (b > a ? root : -root)), 0.0, 1.0);
    }
    double low = 0, high = 1, s = a / (a - b);
    for (int i = 0; i < 64 && low < high; ++i) {
        const auto [value, slope] = evaluate(f, s, static_cast<double>(f.degree));
        if (value == 0) break;
        ((value > 0) == (a > 0) ? low : high) = s;
        double next = s - value / slope;
        if (!(next > low && next < high)) next = low + (high - low) / 2;
        if (std::abs(next - s) <= unit_roundoff * s) break;
        s = next;
    }
    return s;
}

class Isolation {
public:
    // `rounding`: what every halving may add to the error.
    Isolation(double error, double rounding, std::vector<Root>& roots)
        : given_error_(error), rounding_(rounding), roots_(roots) {}

    // The signs at both ends are certain.
    bool search(const Segment& at) {
        const Bernstein<double>& f = at.f;
        error_ = given_error_ + (at.halvings + 1) * rounding_;
        const auto [least, most] = std::minmax_element(f.c.begin(), f.c.begin() + f.degree + 1);
        if (*least > error_ || *most < -error_) return true;
        if (is_monotone(f) && ((f[0] > 0) == (f.last() > 0) || locate(at))) return true;
        if (at.halvings == most_halvings) return false;
        for (const double s : {0.5, 0.4375, 0.5625, 0.375, 0.625}) {
            Segment left{{}, at.low, at.low + s * (at.high - at.low), at.halvings + 1};
            Segment right{{}, left.high, at.high, at.halvings + 1};
            split(f, s, left.f, right.f);
            if (std::abs(right.f[0]) > error_ + rounding_) return search(left) && search(right);
        }
        return false;
    }

private:
    bool is_monotone(const Bernstein<double>& f) const {
        double least = f[1] - f[0], most = least;
        for (std::size_t i = 1; i < f.degree; ++i) {
            least = std::min(least, f[i + 1] - f[i]);
            most = std::max(most, f[i + 1] - f[i]);
        }
        return least > 4 * error_ || most < -4 * error_;
    }

    // By the mean value theorem; false where the slope may change too much near the root.
    bool locate(const Segment& at) {
        const Bernstein<double>& f = at.f;
        const double degree = static_cast<double>(f.degree), s = find_root(f);
        const auto [value, slope] = evaluate(f, s, degree);
        double bend = 0;  // |second derivative|
        for (std::size_t i = 0; i + 2 <= f.degree; ++i)
            bend = std::max(bend, std::abs((f[i + 2] - f[i + 1]) - (f[i + 1] - f[i])));
        bend = degree * (degree - 1) * (bend + 4 * error_);
        const double miss = std::abs(value) + 2 * error_;
        const double steep = std::abs(slope) * (1 - 0x1p-20) - 4 * degree * error_;
        if (!(steep > 0)) return false;
        const double near = up(2 * miss / steep);
        const double sure = steep - up(near * bend);
        if (!(sure >= steep / 2)) return false;
        const double width = at.high - at.low;
        // An end of [0, 1] is where it is.
        roots_.push_back({at.low + s * width, up(miss / sure * width + end_error),
                          at.low > 0 ? at.low + end_error : 0.0,
                          at.high < 1 ? at.high - end_error : 1.0});
        return true;
    }

    const double given_error_, rounding_;
    double error_ = 0;  // of the coefficients on the segment
    std::vector<Root>& roots_;
};

}  // namespace

bool isolate_roots(const Bernstein<double>& f, double error, std::vector<Root>& roots) {
    double size = 0;
    for (std::size_t i = 0; i <= f.degree; ++i) size = std::max(size, std::abs(f[i]));
    const double rounding = 8 * static_cast<double>(f.degree) * unit_roundoff * size + underflow;
    const double sure = up(error + rounding);
    if (!(std::abs(f[0]) > sure && std::abs(f.last()) > sure)) return false;
    return Isolation(up(error), up(rounding), roots).search({f, 0, 1, 0});
}

}  // namespace pyexpr
