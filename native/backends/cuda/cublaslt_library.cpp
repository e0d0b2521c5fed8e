#include "backends/cuda/cublaslt_library.h"

#ifndef SILVERLODE_EMULATION
#include <dlfcn.h>
#endif

namespace silverlode::cuda {

namespace {

struct Opened {
  CublasLt functions = {};
  bool complete = false;
  std::string reason;
};

#ifdef SILVERLODE_EMULATION

// The emulation is linked in.
Opened open_library() {
  return {{cublasLtGetVersion, cublasLtCreate, cublasLtDestroy, cublasLtMatmulDescCreate, cublasLtMatmulDescDestroy,
           cublasLtMatmulDescSetAttribute, cublasLtMatrixLayoutCreate, cublasLtMatrixLayoutDestroy,
           cublasLtMatrixLayoutSetAttribute, cublasLtMatmulPreferenceCreate, cublasLtMatmulPreferenceDestroy,
           cublasLtMatmulPreferenceSetAttribute, cublasLtMatmulAlgoGetHeuristic, cublasLtMatmul},
          true,
          ""};
}

#else

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool find_all(void* library, CublasLt& lt) {
  return find(library, "cublasLtGetVersion", lt.get_version) && find(library, "cublasLtCreate", lt.create) &&
         find(library, "cublasLtDestroy", lt.destroy) && find(library, "cublasLtMatmulDescCreate", lt.desc_create) &&
         find(library, "cublasLtMatmulDescDestroy", lt.desc_destroy) &&
         find(library, "cublasLtMatmulDescSetAttribute", lt.desc_set) &&
         find(library, "cublasLtMatrixLayoutCreate", lt.layout_create) &&
         find(library, "cublasLtMatrixLayoutDestroy", lt.layout_destroy) &&
         find(library, "cublasLtMatrixLayoutSetAttribute", lt.layout_set) &&
         find(library, "cublasLtMatmulPreferenceCreate", lt.preference_create) &&
         find(library, "cublasLtMatmulPreferenceDestroy", lt.preference_destroy) &&
         find(library, "cublasLtMatmulPreferenceSetAttribute", lt.preference_set) &&
         find(library, "cublasLtMatmulAlgoGetHeuristic", lt.heuristic) && find(library, "cublasLtMatmul", lt.matmul);
}

Opened open_library() {
  Opened opened;
  for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12"}) {
    void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* error = dlerror();
      if (opened.reason.empty() && error != nullptr) opened.reason = error;
      continue;
    }
    opened.complete = find_all(library, opened.functions);
    if (opened.complete) return opened;
    opened.reason = std::string(name) + " lacks a function";
    dlclose(library);
  }
  return opened;
}

#endif

}  // namespace

const CublasLt* cublaslt_library(std::string& note) {
  static const Opened opened = open_library();
  if (opened.complete) return &opened.functions;
  note = opened.reason;
  return nullptr;
}

}  // namespace silverlode::cuda
