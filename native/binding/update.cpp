// Changes to tensors that programs read, made between two runs of their device.
#include <cstring>

#include "binding/convert.h"
#include "binding/env_state.h"
#include "binding/handles.h"
#include "binding/tensor.h"

namespace silverlode::binding {

namespace {

// Copies of what JavaScript gave, and a share in the table.
struct RowWrite {
  TensorView table;
  Place place = kHost;
  std::shared_ptr<void> memory;
  std::vector<int32_t> rows;
  std::vector<uint8_t> bytes;
  size_t row_bytes = 0;
};

Status write(Device& device, const RowWrite& change) {
  if (change.place != kHost) {
    if (Status status = device.begin_run(); !status.ok()) return status;
  }
  Status status;
  uint8_t* const table = change.table.as<uint8_t>();
  for (size_t i = 0; i < change.rows.size() && status.ok(); ++i) {
    uint8_t* const to = table + static_cast<size_t>(change.rows[i]) * change.row_bytes;
    const uint8_t* const from = change.bytes.data() + i * change.row_bytes;
    if (change.place == kHost) {
      std::memcpy(to, from, change.row_bytes);
    } else {
      status = device.upload(to, from, change.row_bytes);
    }
  }
  if (change.place == kHost) return status;
  const Status finished = device.finish_run();
  return status.ok() ? finished : status;
}

}  // namespace

// (device, table, rows: Int32Array, bytes: Uint8Array) -> Promise<void>
Napi::Value write_rows(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  const Tensor& tensor = Tensor::from(info[1], "table");
  auto change = std::make_shared<RowWrite>();
  change->table = tensor.view();
  change->memory = tensor.memory();
  change->place = tensor.place();
  const Napi::Int32Array rows = info[2].As<Napi::Int32Array>();
  const Napi::Uint8Array bytes = info[3].As<Napi::Uint8Array>();
  const int64_t table_rows = change->table.shape.rank > 0 ? change->table.shape.dim(0) : 0;
  for (size_t i = 0; i < rows.ElementLength(); ++i) {
    if (rows[i] >= 0 && rows[i] < table_rows) continue;
    check(env, make_error(Code::kInvalidArgument, "row %d lies outside a table of %lld rows", rows[i],
                          static_cast<long long>(table_rows)));
  }
  change->row_bytes = table_rows > 0 ? static_cast<size_t>(change->table.bytes() / table_rows) : 0;
  if (bytes.ByteLength() != change->row_bytes * rows.ElementLength()) {
    check(env, make_error(Code::kShapeMismatch, "%zu rows of %zu bytes do not take %zu bytes", rows.ElementLength(),
                          change->row_bytes, bytes.ByteLength()));
  }
  change->rows.assign(rows.Data(), rows.Data() + rows.ElementLength());
  change->bytes.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
  job->work = [change, device = job->device](Context&) { return write(*device->device, *change); };
  job->settle = [](Napi::Env settled) -> Napi::Value { return settled.Undefined(); };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace silverlode::binding
