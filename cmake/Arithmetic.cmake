# Target pyexpr_arithmetic: the error bounds are proved for separately rounded operations, in the
# order written, and a compiler that is not known to promise them is refused.
# Target pyexpr_warnings: for sources of ours. pyexpr_most_optimised: flags for inner loops.

add_library(pyexpr_arithmetic INTERFACE)
add_library(pyexpr_warnings INTERFACE)
set(exact_operations -ffp-contract=off -fno-fast-math)
set(warnings -Wall -Wextra)
set(pyexpr_most_optimised -O3)

if(NOT CMAKE_CXX_COMPILER_ID MATCHES "^(GNU|Clang|AppleClang)$")
  message(FATAL_ERROR "pyexpr needs GCC or Clang, which know -ffp-contract=off, and not "
                      "${CMAKE_CXX_COMPILER_ID}; on Windows Visual Studio's clang-cl (-T ClangCL)")
elseif(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
  # clang-cl merely warns of a flag that it does not know, but it hands these on.
  list(TRANSFORM exact_operations PREPEND "/clang:")
  set(warnings /W4)
  set(pyexpr_most_optimised /clang:-O3)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Boost's big integers set them off, wrongly.
  list(APPEND warnings -Wno-aggressive-loop-optimizations -Wno-maybe-uninitialized)
endif()

target_compile_options(pyexpr_arithmetic INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${exact_operations}>")
target_compile_options(pyexpr_warnings INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${warnings}>")
