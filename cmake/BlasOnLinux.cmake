set(PYEXPR_BLAS_FILE "${CMAKE_CURRENT_BINARY_DIR}/libpyexpr_openblas.so")
find_program(PATCHELF patchelf REQUIRED)
if(NOT EXISTS "${PYEXPR_BLAS_FILE}")
  configure_file("${openblas_dir}/libscipy_openblas.so" "${PYEXPR_BLAS_FILE}" COPYONLY)
  execute_process(
    COMMAND "${PATCHELF}" --set-soname libpyexpr_openblas.so "${PYEXPR_BLAS_FILE}"
    COMMAND_ERROR_IS_FATAL ANY)
endif()
target_link_libraries(pyexpr_blas INTERFACE "${PYEXPR_BLAS_FILE}")
