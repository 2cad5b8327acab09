// Rows of bits, 64 neurons a word.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace pyexpr {

using Word = std::uint64_t;

inline std::size_t words_for(std::size_t bits) { return (bits + 63) / 64; }

inline Word first_bits(std::size_t n) { return n >= 64 ? ~Word{0} : (Word{1} << n) - 1; }

inline bool get_bit(const Word* row, std::size_t i) { return (row[i / 64] >> (i % 64)) & 1; }

inline void set_bit(Word* row, std::size_t i) { row[i / 64] |= Word{1} << (i % 64); }

inline void flip_bit(Word* row, std::size_t i) { row[i / 64] ^= Word{1} << (i % 64); }

template <class Visit>
void for_each_bit(Word word, std::size_t offset, Visit&& visit) {
    for (; word != 0; word &= word - 1)
        visit(offset + static_cast<std::size_t>(std::countr_zero(word)));
}

}  // namespace pyexpr
