# Toolchain: every platform that has a package, from one machine, with zig (the wheel ziglang).
#   -D SILVERLODE_PLATFORM=<linux-x64 ...>  -D SILVERLODE_ZIG=<path of zig>
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SILVERLODE_PLATFORM SILVERLODE_ZIG)

# The oldest system that a binary runs on: glibc 2.28 is that of Debian 10, RHEL 8 and Node's own builds.
set(target_linux-x64 x86_64-linux-gnu.2.28)
set(target_linux-arm64 aarch64-linux-gnu.2.28)
set(target_linuxmusl-x64 x86_64-linux-musl)
set(target_linuxmusl-arm64 aarch64-linux-musl)
set(target_darwin-x64 x86_64-macos.11.0)
set(target_darwin-arm64 aarch64-macos.11.0)
set(target_win32-x64 x86_64-windows-gnu)
set(target "${target_${SILVERLODE_PLATFORM}}")
if(NOT target)
  message(FATAL_ERROR "SILVERLODE_PLATFORM is '${SILVERLODE_PLATFORM}', which has no package.")
endif()

if(target MATCHES "linux")
  set(CMAKE_SYSTEM_NAME Linux)
elseif(target MATCHES "macos")
  set(CMAKE_SYSTEM_NAME Darwin)
else()
  set(CMAKE_SYSTEM_NAME Windows)
endif()
string(REGEX MATCH "^[^-]*" CMAKE_SYSTEM_PROCESSOR "${target}")

set(CMAKE_C_COMPILER "${SILVERLODE_ZIG}" cc -target ${target})
set(CMAKE_CXX_COMPILER "${SILVERLODE_ZIG}" c++ -target ${target})
foreach(language C CXX)
  set(CMAKE_${language}_ARCHIVE_CREATE "\"${SILVERLODE_ZIG}\" ar qc <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_FINISH "\"${SILVERLODE_ZIG}\" ranlib <TARGET>")
endforeach()
set(CMAKE_RC_COMPILER "${SILVERLODE_ZIG}") # asked for on Windows, never run
set(CMAKE_OSX_ARCHITECTURES "")
set(CMAKE_MODULE_LINKER_FLAGS_INIT -s)
set(flags_neon -mcpu=generic+v8_2a+dotprod+fullfp16)

# Nothing of the machine that builds is for the target.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
