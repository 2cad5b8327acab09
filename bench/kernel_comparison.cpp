#include "kernel_comparison.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <string>

#include "kernel_gpu.hpp"
#include "kernel_inputs.hpp"

namespace pyexpr::bench {
namespace {

template <class... Types>
double time(void (*kernel)(cuda::i64, Types...), const std::vector<cuda::u64>& packed,
            cuda::i64 threads) {
    cuda::Packed<Types...> arguments;
    std::memcpy(&arguments, packed.data(), sizeof(arguments));
    const auto begin = std::chrono::steady_clock::now();
    for (cuda::i64 i = 0; i < threads; ++i) cuda::call(kernel, i, arguments);
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() -
                                                              begin;
    return elapsed.count();
}

template <class Kernel>
Outcome run_on_host(Kernel kernel, const Call& call, int repeats) {
    Outcome out{{}, std::numeric_limits<double>::infinity()};
    for (int repeat = 0; repeat < repeats; ++repeat) {
        out.arguments = call.arguments;
        std::vector<const void*> addresses;
        for (const Argument& argument : out.arguments)
            addresses.push_back(argument.bytes.empty() ? nullptr : argument.bytes.data());
        const auto packed = pack(out.arguments, addresses);
        out.milliseconds = std::min(out.milliseconds, time(kernel, packed, call.threads));
    }
    return out;
}

double bytes_of(const Call& call) {
    double out = 0;
    for (const Argument& argument : call.arguments)
        if (argument.is_array) out += static_cast<double>(argument.bytes.size());
    return out;
}

template <class Kernel>
bool compare(const std::string& name, Kernel kernel, const Call& call, bool on_gpu, int repeats) {
    const double bytes = bytes_of(call);
    const Outcome host = run_on_host(kernel, call, repeats);
    std::printf("{\"kernel\": \"%s\", \"threads\": %lld, \"bytes\": %.0f, \"host_ms\": %.4g, ",
                name.c_str(), call.threads, bytes, host.milliseconds);
    if (!on_gpu) {
        std::puts("\"device_ms\": null, \"gb_per_s\": null, \"identical\": null}");
        return true;
    }
    const Outcome device = run_on_gpu(name, call, repeats);
    const bool identical = device.arguments == host.arguments;
    std::printf("\"device_ms\": %.4g, \"gb_per_s\": %.4g, \"identical\": %s}\n",
                device.milliseconds, bytes / device.milliseconds * 1e-6,
                identical ? "true" : "false");
    return identical;
}

}  // namespace

bool compare_kernels(cuda::i64 vertices, cuda::i64 width, unsigned seed, int repeats) {
    const std::string lacking = why_no_gpu();
    if (!lacking.empty()) std::fprintf(stderr, "only the host runs: %s\n", lacking.c_str());
    const Inputs inputs(vertices, width, seed);
    bool identical = true;
#define PYEXPR_COMPARE(name) \
    identical &= compare(#name, &cuda::name, inputs.name(), lacking.empty(), repeats);
    PYEXPR_FOR_EACH_KERNEL(PYEXPR_COMPARE)
#undef PYEXPR_COMPARE
    return identical;
}

}  // namespace pyexpr::bench
