#include "pyexpr/algebraic.hpp"

#include <utility>

namespace pyexpr {
namespace {

using Powers = Polynomial<Integer>;

// Without leading zeros and common factors. The zero polynomial is empty.
Powers primitive(Powers f) {
    while (!f.empty() && f.back() == 0) f.pop_back();
    Integer common = 0;
    for (const Integer& c : f) {
        common = gcd(common, c);
        if (common == 1) return f;
    }
    for (Integer& c : f) c /= common;
    return f;
}

Powers derivative(const Powers& f) {
    Powers out;
    for (std::size_t k = 1; k < f.size(); ++k) out.push_back(f[k] * static_cast<int>(k));
    return out;
}

// f = quotient g + rest up to a factor, with the rest of a smaller degree than g.
struct Division {
    Powers quotient, rest;
};

Division divide(Powers f, const Powers& g) {
    Powers quotient(f.size() >= g.size() ? f.size() - g.size() + 1 : 0);
    for (std::size_t shift = quotient.size(); shift-- > 0;) {
        const Integer lead = f[shift + g.size() - 1], factor = g.back();
        for (Integer& c : f) c *= factor;
        for (Integer& c : quotient) c *= factor;
        quotient[shift] = lead;
        for (std::size_t k = 0; k < g.size(); ++k) f[shift + k] -= lead * g[k];
        f.pop_back();
    }
    return {primitive(std::move(quotient)), primitive(std::move(f))};
}

Powers greatest_common_divisor(Powers f, Powers g) {
    f = primitive(std::move(f));
    g = primitive(std::move(g));
    while (!g.empty()) f = std::exchange(g, divide(std::move(f), g).rest);
    return f;
}

Powers product(const Powers& f, const Powers& g) {
    Powers out(f.size() + g.size() - 1);
    for (std::size_t i = 0; i < f.size(); ++i)
        for (std::size_t j = 0; j < g.size(); ++j) out[i + j] += f[i] * g[j];
    return out;
}

// The square-free polynomial with the roots of odd multiplicity. Dividing by the greatest common
// divisor with the derivative takes every root away once: the roots with multiplicity >= k, k = 1,
// 2, ..., of which every second step is divided by the next.
Powers odd_part(Powers f) {
    f = primitive(std::move(f));
    Powers odd{1};
    Powers rest = greatest_common_divisor(f, derivative(f));
    Powers at_least = divide(f, rest).quotient;
    for (bool is_odd = true; at_least.size() > 1; is_odd = !is_odd) {
        Powers after = greatest_common_divisor(rest, derivative(rest));
        Powers next = divide(rest, after).quotient;
        if (is_odd) odd = product(odd, divide(at_least, next).quotient);
        rest = std::move(after);
        at_least = std::move(next);
    }
    return primitive(std::move(odd));
}

Dyadic half_way(const Dyadic& a, const Dyadic& b) {
    Dyadic out = a + b;
    --out.exponent;
    return out;
}

int order(const Dyadic& a, const Dyadic& b) { return (a - b).mantissa.sign(); }

// From powers of x to the Bernstein basis on [0, 1], times a factor.
Powers to_bernstein(const Powers& f) {
    const std::size_t d = f.size() - 1;
    // b_i = sum_k (i choose k) / (d choose k) f_k
    const auto choose = [](std::size_t n, std::size_t k) {
        Integer out = 1;
        for (std::size_t i = 0; i < k; ++i) out = out * (n - i) / (i + 1);
        return out;
    };
    Integer common = 1;
    for (std::size_t k = 0; k <= d; ++k) common = lcm(common, choose(d, k));
    Powers out(d + 1);
    for (std::size_t i = 0; i <= d; ++i)
        for (std::size_t k = 0; k <= i; ++k)
            out[i] += choose(i, k) * (common / choose(d, k)) * f[k];
    return out;
}

// Halving until Descartes' rule of signs is certain of every part.
class Descartes {
public:
    explicit Descartes(Powers f) : f_(std::move(f)) {}

    std::vector<Algebraic> roots() {
        if (f_[0] == 0) roots_.emplace_back(Dyadic(0.0));
        search(to_bernstein(f_), Dyadic(0.0), 0);
        if (sign_at(f_, Dyadic(1.0)) == 0) roots_.emplace_back(Dyadic(1.0));
        return std::move(roots_);
    }

private:
    static int variations(const Powers& b) {
        int count = 0, last = 0;
        for (const Integer& c : b) {
            const int sign = c.sign();
            count += sign * last < 0;
            if (sign != 0) last = sign;
        }
        return count;
    }

    // The open interval from `low` on, of length 2^-depth.
    void search(Powers b, const Dyadic& low, int depth) {
        const int count = variations(b);
        if (count == 0) return;
        Dyadic width(1.0);
        width.exponent = -depth;
        // The ends of an isolating interval must not be roots.
        if (count == 1 && b.front() != 0 && b.back() != 0) {
            roots_.emplace_back(f_, low, low + width);
            return;
        }
        Powers left;
        const std::size_t d = b.size() - 1;
        for (std::size_t r = 0; r <= d; ++r) {
            // Both halves times 2^d.
            left.push_back(b[0] << (d - r));
            for (std::size_t i = 0; i + r < d; ++i) b[i] += b[i + 1];
        }
        for (std::size_t i = 0; i <= d; ++i) b[i] <<= i;
        --width.exponent;
        const Dyadic middle = low + width;
        const bool root = left.back() == 0;
        search(std::move(left), low, depth + 1);
        if (root) roots_.emplace_back(middle);
        search(std::move(b), middle, depth + 1);
    }

    const Powers f_;
    std::vector<Algebraic> roots_;
};

}  // namespace

Algebraic::Algebraic(Powers f, const Dyadic& low, const Dyadic& high)
    : f_(std::move(f)), low_(low), high_(high), sign_(sign_at(f_, low)) {}

void Algebraic::halve() {
    Dyadic middle = half_way(low_, high_);
    const int sign = sign_at(f_, middle);
    if (sign == 0) {
        low_ = high_ = std::move(middle);
        f_.clear();
    } else {
        (sign == sign_ ? low_ : high_) = std::move(middle);
    }
}

double Algebraic::nearest() {
    // A tie is a dyadic number, which halving may only come near to.
    for (int halvings = 0; !is_exact(); ++halvings) {
        const double low = low_.to_double(), high = high_.to_double();
        if (low == high) return low;
        if (halvings > 64) {
            const Dyadic tie = half_way(Dyadic(low), Dyadic(high));
            if (order(low_, tie) < 0 && order(tie, high_) < 0 && sign_at(f_, tie) == 0)
                return tie.to_double();
        }
        halve();
    }
    return low_.to_double();
}

bool Algebraic::same(const Algebraic& a, const Algebraic& b) {
    if (a.is_exact()) return sign_at(b.f_, a.low_) == 0;
    if (b.is_exact()) return same(b, a);
    const Powers common = greatest_common_divisor(a.f_, b.f_);
    if (common.size() <= 1) return false;
    // A common root where the intervals meet is the only root of either there; the ends are none.
    const Dyadic& low = order(a.low_, b.low_) < 0 ? b.low_ : a.low_;
    const Dyadic& high = order(a.high_, b.high_) < 0 ? a.high_ : b.high_;
    return sign_at(common, low) != sign_at(common, high);
}

int compare(Algebraic& a, Algebraic& b) {
    for (int halvings = 0;; ++halvings) {
        if (a.is_exact() && b.is_exact()) return order(a.low_, b.low_);
        if (order(a.high_, b.low_) <= 0) return -1;
        if (order(b.high_, a.low_) <= 0) return 1;
        if (halvings == 64 && Algebraic::same(a, b)) return 0;
        if (!a.is_exact()) a.halve();
        if (!b.is_exact()) b.halve();
    }
}

Dyadic between(Algebraic& a, Algebraic& b, const Powers& f) {
    while (order(a.high_, b.low_) >= 0) {
        if (!a.is_exact()) a.halve();
        if (!b.is_exact()) b.halve();
    }
    Dyadic x = half_way(a.high_, b.low_);
    while (sign_at(f, x) == 0) x = half_way(x, b.low_);
    return x;
}

Powers to_powers(const Polynomial<Integer>& bernstein) {
    // (d choose k) times the k-th difference
    Powers differences = bernstein, out;
    Integer choose = 1;
    const std::size_t d = bernstein.size() - 1;
    for (std::size_t k = 0; k <= d; ++k) {
        out.push_back(choose * differences[0]);
        choose = choose * static_cast<unsigned>(d - k) / static_cast<unsigned>(k + 1);
        for (std::size_t i = 0; i + k < d; ++i)
            differences[i] = differences[i + 1] - differences[i];
    }
    return out;
}

int sign_at(const Powers& powers, const Dyadic& x) {
    // Horner's rule, times a power of two.
    Integer sum = 0;
    if (x.exponent >= 0) {
        const Integer value = x.mantissa << x.exponent;
        for (std::size_t k = powers.size(); k-- > 0;) sum = sum * value + powers[k];
        return sum.sign();
    }
    for (std::size_t k = powers.size(), scale = 0; k-- > 0; ++scale)
        sum = sum * x.mantissa + (powers[k] << (scale * static_cast<std::size_t>(-x.exponent)));
    return sum.sign();
}

std::vector<Algebraic> odd_roots(const Powers& powers) {
    Powers odd = odd_part(powers);
    if (odd.size() <= 1) return {};
    return Descartes(std::move(odd)).roots();
}

}  // namespace pyexpr
