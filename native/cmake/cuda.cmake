# The CUDA backend as a plugin beside the addon (native/backends/plugin.h).
#   silverlode_cuda            build/Release/silverlode_cuda.so, by nvcc: SILVERLODE_CUDA is AUTO, ON or OFF
#   silverlode_cuda_emulated   build/Release/silverlode_cuda_emulated.so, by the host compiler: with SILVERLODE_EMULATION

file(GLOB SILVERLODE_CUDA_SOURCES CONFIGURE_DEPENDS
  "${CMAKE_SOURCE_DIR}/native/backends/cuda/*.cpp" "${CMAKE_SOURCE_DIR}/native/backends/cuda/*.cu")
# A plugin shares no symbols with the addon, so it has its own copy of what both use.
set(SILVERLODE_SHARED_SOURCES ${SILVERLODE_SOURCES})
list(FILTER SILVERLODE_SHARED_SOURCES INCLUDE REGEX "^native/(core|ops)/")

function(silverlode_plugin target)
  silverlode_compile_flags(${target})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so")
  if(NOT SILVERLODE_SANITIZE) # which only a process with the sanitizer's runtime can open
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${SILVERLODE_OUTPUT}")
  endif()
  target_link_options(${target} PRIVATE -Wl,--no-undefined)
endfunction()

if(SILVERLODE_EMULATION)
  add_library(silverlode_cuda_emulated MODULE ${SILVERLODE_SHARED_SOURCES})
  silverlode_plugin(silverlode_cuda_emulated)
  silverlode_emulated_sources(silverlode_cuda_emulated ${SILVERLODE_CUDA_SOURCES})
endif()

# Every CUDA op beside the CPU's, on the emulation.
if(SILVERLODE_EMULATION AND SILVERLODE_TESTS)
  file(GLOB cuda_tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/native/tests/cuda/*.cpp")
  add_executable(silverlode_cuda_tests ${SILVERLODE_SOURCES} ${cuda_tests})
  silverlode_compile_flags(silverlode_cuda_tests)
  silverlode_emulated_sources(silverlode_cuda_tests ${SILVERLODE_CUDA_SOURCES})
  target_link_libraries(silverlode_cuda_tests PRIVATE GTest::gtest_main Threads::Threads ${CMAKE_DL_LIBS})
endif()

if(SILVERLODE_CUDA STREQUAL "OFF")
  return()
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(SILVERLODE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SILVERLODE_CUDA is ON and nvcc was not found; name it by -D CMAKE_CUDA_COMPILER=<path>.")
  endif()
  return()
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake before 3.25.2 does not know that nvcc does
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
endif()

# Every architecture that the compiler knows and the backend supports, and PTX of the newest for those to come.
set(architectures 75 80 86 89 90)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
  list(APPEND architectures 100 120)
endif()
list(TRANSFORM architectures APPEND "-real" OUTPUT_VARIABLE SILVERLODE_DEFAULT_ARCHITECTURES)
list(GET architectures -1 newest)
list(APPEND SILVERLODE_DEFAULT_ARCHITECTURES "${newest}-virtual")
set(SILVERLODE_CUDA_ARCHITECTURES "${SILVERLODE_DEFAULT_ARCHITECTURES}" CACHE STRING "As CMAKE_CUDA_ARCHITECTURES")

add_library(silverlode_cuda MODULE ${SILVERLODE_SHARED_SOURCES} ${SILVERLODE_CUDA_SOURCES})
silverlode_plugin(silverlode_cuda)
set_target_properties(silverlode_cuda PROPERTIES
  CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF
  CUDA_ARCHITECTURES "${SILVERLODE_CUDA_ARCHITECTURES}"
  CUDA_RUNTIME_LIBRARY Static
  CUDA_VISIBILITY_PRESET hidden)
target_include_directories(silverlode_cuda SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
find_path(SILVERLODE_NVTX_INCLUDE nvtx3/nvToolsExt.h HINTS ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
if(SILVERLODE_NVTX AND SILVERLODE_NVTX_INCLUDE)
  target_include_directories(silverlode_cuda SYSTEM PRIVATE "${SILVERLODE_NVTX_INCLUDE}")
  target_compile_definitions(silverlode_cuda PRIVATE SILVERLODE_NVTX)
endif()
target_link_options(silverlode_cuda PRIVATE -Wl,--exclude-libs,ALL)
target_link_libraries(silverlode_cuda PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
