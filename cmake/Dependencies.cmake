# Targets pyexpr_boost (headers) and pyexpr_blas, both from PyPI packages of the build environment
# unless the BLAS is not to be bundled.

function(python_value out expression)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c "${expression}"
    OUTPUT_VARIABLE value
    OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE failed
    ERROR_VARIABLE error)
  if(failed)
    message(FATAL_ERROR "${Python_EXECUTABLE} -c '${expression}' failed:\n${error}")
  endif()
  set(${out} "${value}" PARENT_SCOPE)
endfunction()

python_value(boost_include "import boost_headers; print(boost_headers.get_include())")
add_library(pyexpr_boost INTERFACE)
target_include_directories(pyexpr_boost SYSTEM INTERFACE "${boost_include}")

add_library(pyexpr_blas INTERFACE)
if(NOT PYEXPR_BUNDLE_BLAS)
  find_package(BLAS REQUIRED)
  find_package(LAPACK REQUIRED)
  target_link_libraries(pyexpr_blas INTERFACE LAPACK::LAPACK BLAS::BLAS)
else()
  # A copy with a private name: were it called as the original, another one already loaded in the
  # process would be bound instead. Sets PYEXPR_BLAS_FILE, which goes beside what links it.
  python_value(openblas_dir "import scipy_openblas32; print(scipy_openblas32.get_lib_dir())")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    include("${CMAKE_CURRENT_LIST_DIR}/BlasOnLinux.cmake")
  elseif(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
    include("${CMAKE_CURRENT_LIST_DIR}/BlasOnMacOS.cmake")
  elseif(CMAKE_SYSTEM_NAME STREQUAL "Windows")
    include("${CMAKE_CURRENT_LIST_DIR}/BlasOnWindows.cmake")
  else()
    message(FATAL_ERROR "there is no OpenBLAS for ${CMAKE_SYSTEM_NAME} to bring along; "
                        "-DPYEXPR_BUNDLE_BLAS=OFF links the system's BLAS and LAPACK")
  endif()
  target_compile_definitions(pyexpr_blas INTERFACE PYEXPR_BUNDLED_BLAS)
endif()
