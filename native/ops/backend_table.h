// What a backend is: a versioned table with one entry per op, typed by the op's Args.
#pragma once

#include "ops/all_ops.h"

namespace silverlode {

constexpr uint32_t kBackendTableVersion = 1;

template <class Op>
struct TableEntry {
  OpEntry<typename Op::Args> entry;
};

template <class List>
struct TableEntries;

// Bases lie in the order of the list for every compiler; the order in a std::tuple depends on the standard library, and a
// plugin may be built with another one than the addon.
template <class... Ops>
struct TableEntries<OpList<Ops...>> : TableEntry<Ops>... {};

struct BackendTable {
  uint32_t version = kBackendTableVersion;
  const char* name = "";
  TableEntries<DeviceOps> entries;

  template <class Op>
  const OpEntry<typename Op::Args>& entry() const {
    return static_cast<const TableEntry<Op>&>(entries).entry;
  }
};

}  // namespace silverlode
