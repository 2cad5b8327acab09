// Counts the regions of a random network on a random line or arc, activation regions unless --linear
// is given; prints one JSON line.
// With --no-proof the float64 values are believed: what the proof costs is measured against that.
//
// With --kernels, runs all kernels on the host and on a GPU instead, where there is one, and exits
// with 1 where they differ.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernel_comparison.hpp"
#include "pyexpr/engine.hpp"

namespace {

using pyexpr::Activation;
using pyexpr::AffineMap;

struct Arguments {
    bool hard_tanh = false, arc = false, linear = false, certify = true, kernels = false;
    double gain = 2;  // weights ~ N(0, gain / fan-in), biases ~ N(0, 0.01)
    unsigned seed = 0;
    int repeats = 5;
    std::size_t threads = 1;
    std::vector<std::size_t> sizes;
};

[[noreturn]] void usage() {
    std::fputs(
        "usage: pyexpr_bench [--arc] [--linear] [--hard-tanh] [--no-proof] [--gain G] [--seed S] "
        "[--repeats R] [--threads T] INPUT HIDDEN... OUTPUT\n"
        "       pyexpr_bench --kernels [--seed S] [--repeats R] [ROWS WIDTH]\n",
        stderr);
    std::exit(2);
}

double positive_number(const char* text) {
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0) || value > 1e9) usage();
    return value;
}

Arguments parse(int argc, char** argv) {
    Arguments out;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--hard-tanh")
            out.hard_tanh = true;
        else if (name == "--arc")
            out.arc = true;
        else if (name == "--linear")
            out.linear = true;
        else if (name == "--no-proof")
            out.certify = false;
        else if (name == "--kernels")
            out.kernels = true;
        else if (name.rfind("--", 0) != 0)
            out.sizes.push_back(static_cast<std::size_t>(positive_number(argv[i])));
        else if (i + 1 == argc)
            usage();
        else if (name == "--gain")
            out.gain = positive_number(argv[++i]);
        else if (name == "--seed")
            out.seed = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
        else if (name == "--repeats")
            out.repeats = static_cast<int>(positive_number(argv[++i]));
        else if (name == "--threads")
            out.threads = static_cast<std::size_t>(positive_number(argv[++i]));
        else
            usage();
    }
    if (out.kernels && out.sizes.empty()) out.sizes = {2048, 256};
    if (out.sizes.size() < 2 || out.repeats < 1) usage();
    if (out.kernels && (out.sizes.size() > 2 || out.sizes[0] < 3 || out.sizes[1] < 1)) usage();
    return out;
}

std::vector<double> normal(std::mt19937_64& rng, std::size_t n, double deviation) {
    std::normal_distribution<double> draw(0, deviation);
    std::vector<double> out(n);
    for (double& x : out) x = draw(rng);
    return out;
}

std::shared_ptr<const AffineMap> random_map(std::mt19937_64& rng, std::size_t in, std::size_t out,
                                            double gain) {
    const auto weight = normal(rng, in * out, std::sqrt(gain / static_cast<double>(in)));
    const auto bias = normal(rng, out, 0.1);
    return std::make_shared<const AffineMap>(in, out, weight.data(), bias.data());
}

Activation activation(std::size_t width, bool hard_tanh) {
    const std::vector<double> thresholds = hard_tanh ? std::vector{-1.0, 1.0} : std::vector{0.0};
    std::vector<double> slopes(width, 0.0);
    slopes.insert(slopes.end(), width, 1.0);
    if (hard_tanh) slopes.insert(slopes.end(), width, 0.0);
    return {width, thresholds, slopes, hard_tanh ? -1.0 : 0.0};
}

pyexpr::Network random_network(std::mt19937_64& rng, const Arguments& arguments) {
    const auto& sizes = arguments.sizes;
    std::vector<pyexpr::Level> levels;
    for (std::size_t l = 0; l + 2 < sizes.size(); ++l)
        levels.push_back({random_map(rng, sizes[l], sizes[l + 1], arguments.gain),
                          activation(sizes[l + 1], arguments.hard_tanh)});
    return {std::move(levels),
            random_map(rng, sizes[sizes.size() - 2], sizes.back(), arguments.gain)};
}

// cos(pi t / 2) x0 + sin(pi t / 2) x1
pyexpr::Piece quarter(const std::vector<double>& x0, const std::vector<double>& x1) {
    return pyexpr::RationalBezier{{x0, x1}, {1, 0, 1, 1, 0, 2}, {1, 1, 2}};
}

struct Run {
    std::int64_t regions = 0;
    double seconds = 0, flops = 0;
    pyexpr::Certificate certificate;
};

Run count(const pyexpr::Network& network, const pyexpr::Trajectory& trajectory,
          const Arguments& arguments, pyexpr::Workspaces& workspaces) {
    const auto start = std::chrono::steady_clock::now();
    pyexpr::CountRegions regions(network, trajectory);
    pyexpr::CountPieces pieces(network, trajectory);
    pyexpr::Sink& sink = arguments.linear ? static_cast<pyexpr::Sink&>(pieces) : regions;
    const pyexpr::Certificate certificate = pyexpr::run(network, trajectory, sink, workspaces,
                                                        {.threads = arguments.threads,
                                                         .certify = arguments.certify});
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    return {arguments.linear ? pieces.count() : regions.count(), elapsed.count(),
            workspaces.take_flops(), certificate};
}

// [decisions; of them by proportional weights, the adjoint, double-double, integers; smallest gap]
std::string text(const pyexpr::Tally& tally) {
    char gap[32];
    std::snprintf(gap, sizeof gap, std::isfinite(tally.gap) ? "%.3g" : "null", tally.gap);
    return "[" + std::to_string(tally.asked) + ", " + std::to_string(tally.proportional) + ", " +
           std::to_string(tally.adjoint) + ", " + std::to_string(tally.extended) + ", " +
           std::to_string(tally.exact) + ", " + gap + "]";
}

void print(const Arguments& arguments, const Run& run) {
    std::string sizes;
    for (std::size_t size : arguments.sizes)
        sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
    std::printf(
        "{\"sizes\": [%s], \"activation\": \"%s\", \"gain\": %g, \"seed\": %u, "
        "\"%s_regions\": %lld, \"seconds\": %.6g, \"gemm_gflops\": %.4g, "
        "\"signs\": %s, \"orders\": %s}\n",
        sizes.c_str(), arguments.hard_tanh ? "hard_tanh" : "relu", arguments.gain, arguments.seed,
        arguments.linear ? "linear" : "activation", static_cast<long long>(run.regions),
        run.seconds, run.flops / run.seconds * 1e-9, text(run.certificate.signs).c_str(),
        text(run.certificate.orders).c_str());
}

}  // namespace

int main(int argc, char** argv) {
    const Arguments arguments = parse(argc, argv);
    if (arguments.kernels) {
        const auto rows = static_cast<long long>(arguments.sizes[0]);
        const auto width = static_cast<long long>(arguments.sizes[1]);
        return pyexpr::bench::compare_kernels(rows, width, arguments.seed, arguments.repeats) ? 0
                                                                                              : 1;
    }
    std::mt19937_64 rng(arguments.seed);
    const pyexpr::Network network = random_network(rng, arguments);
    const std::size_t inputs = arguments.sizes.front();
    const auto x0 = normal(rng, inputs, 1), x1 = normal(rng, inputs, 1);
    const pyexpr::Trajectory trajectory{{arguments.arc ? quarter(x0, x1)
                                                       : pyexpr::Line{x0, x1, nullptr}},
                                        false};
    pyexpr::Workspaces workspaces;
    Run best = count(network, trajectory, arguments, workspaces);
    for (int repeat = 1; repeat < arguments.repeats; ++repeat)
        if (const Run run = count(network, trajectory, arguments, workspaces);
            run.seconds < best.seconds)
            best = run;
    print(arguments, best);
}
