# The CUDA runtime surface on the host, for tests: native/emulation/README.md.
#   silverlode_emulation         static library: scheduler, runtime, cublasLt
#   silverlode_emulation_tests   its conformance tests (needs GoogleTest)
# SILVERLODE_SANITIZE applies to both. SILVERLODE_CHECKER instruments the kernels instead, for the checker of races, bounds and
# uninitialised reads.

if(SILVERLODE_CHECKER AND SILVERLODE_SANITIZE)
  message(FATAL_ERROR "SILVERLODE_CHECKER and SILVERLODE_SANITIZE exclude each other.")
endif()

file(GLOB emulation_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/native/emulation/src/*.cpp")
add_library(silverlode_emulation STATIC ${emulation_sources})
silverlode_compile_flags(silverlode_emulation)
target_include_directories(silverlode_emulation PRIVATE "${CMAKE_SOURCE_DIR}/native/emulation/include")
target_compile_options(silverlode_emulation PRIVATE -g)  # reports name lines
target_link_libraries(silverlode_emulation PUBLIC Threads::Threads ${CMAKE_DL_LIBS})

# Adds sources to a target that run on the emulation: .cu files are compiled as C++, and every file of the target sees
# native/emulation/include instead of the CUDA toolkit, and SILVERLODE_EMULATION defined.
#   silverlode_emulated_sources(<target> <file>...)
function(silverlode_emulated_sources target)
  foreach(source ${ARGN})
    if(NOT source MATCHES "\\.cu$")
      continue()
    endif()
    set(options -x c++ -g -Wno-unknown-pragmas)
    if(SILVERLODE_CHECKER)
      # The kernels call __tsan_*; libtsan is not linked, src/checker answers.
      list(APPEND options -O1 -fno-omit-frame-pointer -fsanitize=thread --param tsan-distinguish-volatile=1 -Wno-tsan)
    endif()
    set_source_files_properties("${source}" PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${options}")
  endforeach()
  target_sources(${target} PRIVATE ${ARGN})
  target_include_directories(${target} BEFORE PRIVATE "${CMAKE_SOURCE_DIR}/native/emulation/include")
  target_compile_definitions(${target} PRIVATE SILVERLODE_EMULATION
    $<$<BOOL:${SILVERLODE_CHECKER}>:SILVERLODE_CHECKER>)
  target_link_libraries(${target} PRIVATE silverlode_emulation)
endfunction()

if(SILVERLODE_TESTS)
  file(GLOB emulation_tests CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/native/tests/emulation/*.cpp" "${CMAKE_SOURCE_DIR}/native/tests/emulation/*.cu")
  add_executable(silverlode_emulation_tests)
  silverlode_compile_flags(silverlode_emulation_tests)
  silverlode_emulated_sources(silverlode_emulation_tests ${emulation_tests})
  target_link_libraries(silverlode_emulation_tests PRIVATE GTest::gtest_main)
endif()
