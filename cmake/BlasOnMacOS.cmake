set(PYEXPR_BLAS_FILE "${CMAKE_CURRENT_BINARY_DIR}/libpyexpr_openblas.dylib")
if(NOT EXISTS "${PYEXPR_BLAS_FILE}")
  configure_file("${openblas_dir}/libscipy_openblas.dylib" "${PYEXPR_BLAS_FILE}" COPYONLY)
  execute_process(
    COMMAND "${CMAKE_INSTALL_NAME_TOOL}" -id @rpath/libpyexpr_openblas.dylib "${PYEXPR_BLAS_FILE}"
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(
    COMMAND codesign --force --sign - "${PYEXPR_BLAS_FILE}" # arm64 loads nothing unsigned
    COMMAND_ERROR_IS_FATAL ANY)
endif()
target_link_libraries(pyexpr_blas INTERFACE "${PYEXPR_BLAS_FILE}")
