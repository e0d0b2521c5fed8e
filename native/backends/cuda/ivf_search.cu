#include "ops/ivf_search.h"

#include "backends/cuda/backend.h"

namespace silverlode::cuda {

OpEntry<IvfSearch::Args> ivf_search_entry() { return {nullptr, nullptr, nullptr, nullptr}; }

}  // namespace silverlode::cuda
