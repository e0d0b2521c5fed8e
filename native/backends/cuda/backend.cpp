#include "backends/cuda/backend.h"

#include "ops/backend_table.h"

namespace silverlode::cuda {

namespace {

template <class... Ops>
BackendTable table_of(OpList<Ops...>) {
  return {kBackendTableVersion, "cuda", {{entry<Ops>()}...}};
}

}  // namespace

const BackendTable& backend_table() {
  static const BackendTable table = table_of(DeviceOps());
  return table;
}

}  // namespace silverlode::cuda
