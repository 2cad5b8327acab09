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
  # A private name: were it called as the original, another copy already loaded in the process
  # would be bound instead.
  set(PYEXPR_BLAS_FILE "${CMAKE_CURRENT_BINARY_DIR}/libpyexpr_openblas.so")
  python_value(openblas_dir "import scipy_openblas32; print(scipy_openblas32.get_lib_dir())")
  find_program(PATCHELF patchelf REQUIRED)
  if(NOT EXISTS "${PYEXPR_BLAS_FILE}")
    configure_file("${openblas_dir}/libscipy_openblas.so" "${PYEXPR_BLAS_FILE}" COPYONLY)
    execute_process(
      COMMAND "${PATCHELF}" --set-soname libpyexpr_openblas.so "${PYEXPR_BLAS_FILE}"
      COMMAND_ERROR_IS_FATAL ANY)
  endif()
  target_link_libraries(pyexpr_blas INTERFACE "${PYEXPR_BLAS_FILE}")
  target_compile_definitions(pyexpr_blas INTERFACE PYEXPR_BUNDLED_BLAS)
endif()
