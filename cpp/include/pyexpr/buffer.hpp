// A vector of doubles whose growth does not touch memory: what is read was written before.
#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace pyexpr {

template <class T>
struct Uninitialized : std::allocator<T> {
    template <class U>
    struct rebind {
        using other = Uninitialized<U>;
    };
    template <class U>
    void construct(U* p) noexcept {
        ::new (static_cast<void*>(p)) U;
    }
    template <class U, class... Args>
    void construct(U* p, Args&&... args) {
        ::new (static_cast<void*>(p)) U(std::forward<Args>(args)...);
    }
};

using Buffer = std::vector<double, Uninitialized<double>>;

}  // namespace pyexpr
