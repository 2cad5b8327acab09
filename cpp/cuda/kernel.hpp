// How a kernel gets its arguments: packed one behind the other, eight bytes each, so that one buffer
// serves the host and a GPU alike.
#pragma once

#include "types.hpp"

namespace pyexpr::cuda {

template <class... Types>
struct Packed;
template <class Last>
struct Packed<Last> {
    Last head;
};
template <class Head, class... Tail>
struct Packed<Head, Tail...> {
    Head head;
    Packed<Tail...> tail;
};

template <class Function>
struct ArgumentsOf;
template <class... Types>
struct ArgumentsOf<void (*)(i64, Types...)> {
    static_assert(((sizeof(Types) == 8) && ...));
    using type = Packed<Types...>;
};
// Of a kernel, without the thread's number.
template <class Function>
using Arguments = typename ArgumentsOf<Function>::type;

template <class Function, class Last, class... Unpacked>
PYEXPR_ANYWHERE inline void call(Function kernel, i64 thread, const Packed<Last>& rest,
                                 Unpacked... unpacked) {
    kernel(thread, unpacked..., rest.head);
}
template <class Function, class Head, class Next, class... Tail, class... Unpacked>
PYEXPR_ANYWHERE inline void call(Function kernel, i64 thread,
                                 const Packed<Head, Next, Tail...>& rest, Unpacked... unpacked) {
    call(kernel, thread, rest.tail, unpacked..., rest.head);
}

}  // namespace pyexpr::cuda
