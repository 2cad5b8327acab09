// Many lines at once, each with a count of its own: groups of them share matrix products, and
// threads share the groups.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "pyexpr/certificate.hpp"
#include "pyexpr/engine.hpp"
#include "pyexpr/network.hpp"
#include "pyexpr/sinks.hpp"
#include "pyexpr/trajectory.hpp"

namespace pyexpr {

// Line number i, from 0 on; may be called by several threads.
using Lines = std::function<Line(std::size_t i)>;
// What one line's sink counts.
using MakeSink = std::function<std::unique_ptr<Sink>(const Trajectory& line)>;
// Called with a line's number and its sink when that has seen all of it; by several threads, but
// never twice for one line.
using Report = std::function<void(std::size_t i, const Sink& sink)>;

// Sends every line to a sink of its own. Throws NotFinite with the number of the line where float64
// overflows; always the same one.
Certificate run_lines(const Network& network, std::size_t count, const Lines& lines,
                      const MakeSink& make_sink, const Report& report, Workspaces& workspaces,
                      const Options& options);

}  // namespace pyexpr
