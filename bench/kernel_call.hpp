// A kernel's arguments with all that they point to, so that the host and a GPU are given the same.
#pragma once

#include <cstring>
#include <type_traits>
#include <vector>

#include "types.hpp"

namespace pyexpr::bench {

// A number, or an array: empty for none.
struct Argument {
    bool is_array = false;
    std::vector<cuda::Byte> bytes;

    bool operator==(const Argument&) const = default;
};

struct Call {
    cuda::i64 threads = 0;
    std::vector<Argument> arguments;
};

// Arguments after the last of some runs, each of which began with those of the call; the time of the
// fastest.
struct Outcome {
    std::vector<Argument> arguments;
    double milliseconds = 0;
};

// What stands for a parameter of a kernel.
template <class T>
struct Given {
    using Type = T;
};
template <class T>
struct Given<T*> {
    using Type = std::vector<std::remove_const_t<T>>;
};

template <class T>
Argument as_argument(const T& number) {
    Argument out{false, std::vector<cuda::Byte>(sizeof(T))};
    std::memcpy(out.bytes.data(), &number, sizeof(T));
    return out;
}
template <class T>
Argument as_argument(const std::vector<T>& array) {
    Argument out{true, std::vector<cuda::Byte>(array.size() * sizeof(T))};
    if (!array.empty()) std::memcpy(out.bytes.data(), array.data(), out.bytes.size());
    return out;
}

template <class... Types>
Call make_call(void (*)(cuda::i64, Types...), cuda::i64 threads,
               const typename Given<Types>::Type&... values) {
    return {threads, {as_argument(values)...}};
}

// As kernels read them; addresses: one an argument, of the arrays.
inline std::vector<cuda::u64> pack(const std::vector<Argument>& arguments,
                                   const std::vector<const void*>& addresses) {
    std::vector<cuda::u64> out(arguments.size());
    for (std::size_t i = 0; i < arguments.size(); ++i)
        if (arguments[i].is_array)
            out[i] = reinterpret_cast<cuda::u64>(addresses[i]);
        else
            std::memcpy(&out[i], arguments[i].bytes.data(), sizeof(out[i]));
    return out;
}

}  // namespace pyexpr::bench
