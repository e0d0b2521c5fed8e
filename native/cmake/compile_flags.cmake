# Flags per target. Never -march=native: the binary chooses its instruction set at run time.
# -ffp-contract=off everywhere: float results must not depend on what a compiler chooses to fuse.

function(silverlode_compile_flags target)
  set_target_properties(${target} PROPERTIES
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/native")
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-O3;-ffp-contract=off;-Wall;-Wextra>
    $<$<COMPILE_LANGUAGE:CUDA>:-O3;-fmad=false;--expt-relaxed-constexpr;-lineinfo;-Xcompiler=-Wall,-Wextra>)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang") # pragmas name warnings that only GCC has
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-unknown-warning-option>)
  endif()
  if(SILVERLODE_WERROR)
    target_compile_options(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-Werror> $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
  endif()
  if(SILVERLODE_SANITIZE)
    set(sanitize -fsanitize=${SILVERLODE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(${target} PRIVATE ${sanitize} -O1 -g -UNDEBUG)
    target_link_options(${target} PRIVATE ${sanitize})
  endif()
endfunction()
