// Threads beside the caller's.
#pragma once

#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace pyexpr {

// Threads 1 .. count - 1 of `count`, the caller being the first: thread i runs run(i). Fewer where the
// system has no more; whoever calls can do all the work alone.
template <class Run>
std::vector<std::thread> start_threads(std::size_t count, const Run& run) {
    std::vector<std::thread> out;
    try {
        for (std::size_t i = 1; i < count; ++i) out.emplace_back(run, i);
    } catch (const std::exception&) {  // no more threads, or no memory for one
    }
    return out;
}

}  // namespace pyexpr
