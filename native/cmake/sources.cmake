# Every .cpp below native/ but those of the CUDA plugin, the emulation and the tests, as native/sources.cjs has it for binding.gyp:
#   SILVERLODE_SOURCES          what any program may link
#   SILVERLODE_BINDING_SOURCES  what needs Node-API
# A file whose stem ends in an instruction set is compiled for it, and only on its architecture; one whose stem ends in a system,
# only there.

file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/native/*.cpp")
list(FILTER sources EXCLUDE REGEX "^native/(backends/cuda|emulation|tests)/")

set(flags_avx2 -mavx2 -mfma -mf16c -mbmi2 -mpopcnt)
set(flags_avx512vnni -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx512vpopcntdq -mavx512vbmi2 -mfma -mf16c -mbmi2 -mpopcnt)
if(NOT DEFINED flags_neon) # some toolchains spell it differently
  set(flags_neon -march=armv8.2-a+dotprod+fp16)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(instruction_sets avx2 avx512vnni)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(instruction_sets neon)
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Windows")
  set(systems windows)
elseif(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
  set(systems darwin posix)
else()
  set(systems linux posix)
endif()

foreach(source ${sources})
  if(source MATCHES "_(avx2|avx512vnni|neon)\\.cpp$")
    if(NOT CMAKE_MATCH_1 IN_LIST instruction_sets)
      continue()
    endif()
    set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "${flags_${CMAKE_MATCH_1}}")
  endif()
  if(source MATCHES "_(linux|darwin|posix|windows)\\.cpp$" AND NOT CMAKE_MATCH_1 IN_LIST systems)
    continue()
  endif()
  if(source MATCHES "^native/binding/")
    list(APPEND SILVERLODE_BINDING_SOURCES "${source}")
  else()
    list(APPEND SILVERLODE_SOURCES "${source}")
  endif()
endforeach()
