#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>

#include "device.hpp"
#include "kernel_gpu.hpp"

namespace pyexpr::bench {
namespace {

constexpr cuda::i64 block = 256, most_blocks = 1 << 16;  // as the engine has them

void check(cudaError_t error) {
    if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

struct Free {
    void operator()(void* address) const { cudaFree(address); }
};
using Memory = std::unique_ptr<void, Free>;

// The arrays of a call, each in memory of its own so that compute-sanitizer sees where it ends.
class Arrays {
public:
    explicit Arrays(const std::vector<Argument>& arguments) {
        for (const Argument& argument : arguments) {
            void* address = nullptr;
            if (!argument.bytes.empty() && argument.is_array)
                check(cudaMalloc(&address, argument.bytes.size()));
            memory_.emplace_back(address);
        }
    }
    std::vector<const void*> addresses() const {
        std::vector<const void*> out;
        for (const Memory& memory : memory_) out.push_back(memory.get());
        return out;
    }
    void upload(const std::vector<Argument>& arguments) const {
        for (std::size_t i = 0; i < arguments.size(); ++i)
            if (memory_[i])
                check(cudaMemcpy(memory_[i].get(), arguments[i].bytes.data(),
                                 arguments[i].bytes.size(), cudaMemcpyHostToDevice));
    }
    void download(std::vector<Argument>& arguments) const {
        for (std::size_t i = 0; i < arguments.size(); ++i)
            if (memory_[i])
                check(cudaMemcpy(arguments[i].bytes.data(), memory_[i].get(),
                                 arguments[i].bytes.size(), cudaMemcpyDeviceToHost));
    }

private:
    std::vector<Memory> memory_;  // one an argument, none for numbers
};

struct Destroy {
    void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using Moment = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, Destroy>;

Moment make_moment() {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event));
    return Moment(event);
}

const void* find(const std::string& name) {
#define PYEXPR_ENTRY(name) {#name, reinterpret_cast<const void*>(&pyexpr_##name)},
    static const std::map<std::string, const void*> all{PYEXPR_FOR_EACH_KERNEL(PYEXPR_ENTRY)};
#undef PYEXPR_ENTRY
    return all.at(name);
}

double time(const void* kernel, std::vector<cuda::u64> packed, cuda::i64 threads) {
    const auto blocks = std::clamp((threads + block - 1) / block, cuda::i64{1}, most_blocks);
    void* arguments[] = {packed.data(), &threads};
    const Moment begin = make_moment(), end = make_moment();
    check(cudaEventRecord(begin.get()));
    check(cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(blocks)), dim3(block), arguments, 0,
                           nullptr));
    check(cudaEventRecord(end.get()));
    check(cudaDeviceSynchronize());
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()));
    return milliseconds;
}

}  // namespace

std::string why_no_gpu() {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess) return cudaGetErrorString(error);
    return count == 0 ? "the CUDA driver knows no GPU" : "";
}

Outcome run_on_gpu(const std::string& kernel, const Call& call, int repeats) {
    const Arrays arrays(call.arguments);
    Outcome out{call.arguments, std::numeric_limits<double>::infinity()};
    for (int repeat = 0; repeat < repeats; ++repeat) {
        arrays.upload(call.arguments);
        const auto packed = pack(call.arguments, arrays.addresses());
        out.milliseconds = std::min(out.milliseconds, time(find(kernel), packed, call.threads));
    }
    arrays.download(out.arguments);
    return out;
}

}  // namespace pyexpr::bench
