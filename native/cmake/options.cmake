# Every option of the native build. The output of a plain build is an optimised addon for any CPU of its architecture.

option(SILVERLODE_WERROR "Treat compiler warnings as errors" OFF)
option(SILVERLODE_TESTS "Build the native test executable (needs GoogleTest)" OFF)
option(SILVERLODE_EMULATION "Build the host emulation of CUDA, for tests" OFF)
option(SILVERLODE_CHECKER "Instrument emulated kernels for the checker of races and memory" OFF)
set(SILVERLODE_CUDA AUTO CACHE STRING "The CUDA backend: AUTO builds it where nvcc is found, ON insists, OFF does not")
set_property(CACHE SILVERLODE_CUDA PROPERTY STRINGS AUTO ON OFF)
set(SILVERLODE_OUTPUT "${CMAKE_SOURCE_DIR}/build/Release" CACHE PATH "Folder of the addon and the plugins")
set(SILVERLODE_NODE_LIBRARY "" CACHE FILEPATH "Windows: import library of Node-API")
set(SILVERLODE_GTEST_SOURCE "" CACHE PATH "Sources of GoogleTest, for a compiler that the installed library is not for")
option(SILVERLODE_NVTX "Ranges for Nsight Systems in the CUDA backend, where the header of NVTX is found" ON)
set(SILVERLODE_SANITIZE "" CACHE STRING "Sanitizers, comma separated, for example address,undefined")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
