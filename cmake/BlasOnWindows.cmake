# A DLL's name is in the import library that one links: ours names the few functions in use.
set(PYEXPR_BLAS_FILE "${CMAKE_CURRENT_BINARY_DIR}/pyexpr_openblas.dll")
configure_file("${openblas_dir}/libscipy_openblas.dll" "${PYEXPR_BLAS_FILE}" COPYONLY)
set(import_library "${CMAKE_CURRENT_BINARY_DIR}/pyexpr_openblas.lib")
execute_process(
  COMMAND "${CMAKE_AR}" /nologo /machine:x64 "/def:${CMAKE_CURRENT_LIST_DIR}/pyexpr_openblas.def"
          "/out:${import_library}"
  COMMAND_ERROR_IS_FATAL ANY)
target_link_libraries(pyexpr_blas INTERFACE "${import_library}")
