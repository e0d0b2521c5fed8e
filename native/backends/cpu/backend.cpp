#include "backends/cpu/backend.h"

#include "ops/backend_table.h"

namespace silverlode::cpu {

namespace {

template <class... Ops>
BackendTable table_of(OpList<Ops...>) {
  return {kBackendTableVersion, "cpu", {{entry<Ops>()}...}};
}

}  // namespace

const BackendTable& backend_table() {
  static const BackendTable table = table_of(DeviceOps());
  return table;
}

}  // namespace silverlode::cpu
