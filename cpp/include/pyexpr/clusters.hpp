// Events of one cell in true order, cluster by cluster.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace pyexpr {

// Whatever the bounds cannot separate is one cluster; a cluster ends where all that follow, also
// those with a wide bound, lie surely behind it. The events from `first` on are sorted, and
// use(begin, end) is called for each cluster. `where` is an event's float, before(a, b) tells the
// true order inside a cluster, surely_before(latest, earliest, gap) what the bounds tell.
template <class Event, class Where, class Before, class SurelyBefore, class Use>
void for_each_cluster(std::vector<Event>& events, std::size_t first, std::vector<double>& earliest,
                      Where&& where, Before&& before, SurelyBefore&& surely_before, Use&& use) {
    if (events.size() == first) return;
    const auto at = [&](std::size_t i) { return events.begin() + static_cast<std::ptrdiff_t>(i); };
    std::sort(at(first), events.end(),
              [&](const Event& a, const Event& b) { return where(a) < where(b); });
    earliest.resize(events.size());
    for (std::size_t i = events.size(); i-- > first;) {
        earliest[i] = events[i].earliest();
        if (i + 1 < events.size()) earliest[i] = std::min(earliest[i], earliest[i + 1]);
    }
    std::size_t begin = first;
    double reach = events[first].latest(), last = where(events[first]);
    for (std::size_t i = first + 1; i <= events.size(); ++i) {
        if (i == events.size() || surely_before(reach, earliest[i], where(events[i]) - last)) {
            if (i - begin > 1) std::sort(at(begin), at(i), before);
            use(begin, i);
            begin = i;
        }
        if (i == events.size()) break;
        reach = std::max(reach, events[i].latest());
        last = where(events[i]);
    }
}

}  // namespace pyexpr
