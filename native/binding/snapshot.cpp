// Model files: opening, checksums, writing, and locking of files that belong to a model. What the header says is read and checked in lib/snapshot.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "binding/convert.h"
#include "binding/env_state.h"
#include "binding/handles.h"
#include "binding/tensor.h"
#include "platform/file.h"
#include "snapshot/atomic_writer.h"
#include "snapshot/io_error.h"
#include "snapshot/xxh64.h"

namespace silverlode::binding {

namespace {

struct SharedTensors {
  std::vector<TensorView> views;
  std::vector<std::shared_ptr<void>> memory;
};

std::shared_ptr<SharedTensors> read_tensors(const Napi::Value& value) {
  auto tensors = std::make_shared<SharedTensors>();
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Tensor& tensor = Tensor::on_host(array[i], "entry");
    tensors->views.push_back(tensor.view());
    tensors->memory.push_back(tensor.memory());
  }
  return tensors;
}

// One chunk of one tensor, so that large and small tensors spread evenly over the threads.
struct DigestTask {
  const TensorView* view;
  int64_t chunk;
  uint64_t digest;
};

std::vector<std::string> digest_all(const std::vector<TensorView>& views, Device& device) {
  std::vector<DigestTask> tasks;
  for (const TensorView& view : views) {
    for (int64_t chunk = 0; chunk < snapshot::chunk_count(view.bytes()); ++chunk) tasks.push_back({&view, chunk, 0});
  }
  device.parallel_for(
      static_cast<int64_t>(tasks.size()),
      [](void* self, int64_t i) {
        DigestTask& task = (*static_cast<std::vector<DigestTask>*>(self))[static_cast<size_t>(i)];
        task.digest = snapshot::chunk_digest(task.view->data, task.view->bytes(), task.chunk);
      },
      &tasks);
  std::vector<std::string> digests;
  std::vector<uint64_t> chunks;
  for (size_t i = 0; i < tasks.size(); ++i) {
    chunks.push_back(tasks[i].digest);
    if (i + 1 < tasks.size() && tasks[i + 1].view == tasks[i].view) continue;
    char text[17];
    std::snprintf(
        text, sizeof text, "%016llx",
        static_cast<unsigned long long>(snapshot::combine_digests(chunks.data(), static_cast<int64_t>(chunks.size()))));
    digests.emplace_back(text);
    chunks.clear();
  }
  return digests;
}

}  // namespace

Napi::Function FileHandle::define(Napi::Env env) {
  return DefineClass(env, "NativeFile",
                     {InstanceAccessor<&FileHandle::size>("size"), InstanceMethod("bytes", &FileHandle::bytes),
                      InstanceMethod("tensor", &FileHandle::tensor), InstanceMethod("dispose", &FileHandle::dispose)});
}

FileHandle::FileHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileHandle>(info) {}

Napi::Value FileHandle::open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  auto file = std::make_shared<snapshot::MappedFile>();
  job->work = [file, path = info[1].ToString().Utf8Value()](Context&) {
    return snapshot::MappedFile::open(path, *file);
  };
  job->settle = [file](Napi::Env settled) -> Napi::Value {
    const Napi::Object object = EnvState::of(settled).file_class.New({});
    Unwrap(object)->file_ = file;
    return object;
  };
  return EnvState::of(env).start(env, std::move(job));
}

Napi::Value FileHandle::size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(file(info.Env()).size()));
}

void FileHandle::dispose(const Napi::CallbackInfo&) { file_.reset(); }

snapshot::MappedFile& FileHandle::file(Napi::Env env) const {
  if (!file_) check(env, make_error(Code::kDisposed, "the file was closed"));
  return *file_;
}

// bytes(begin, length) -> Uint8Array, a copy
Napi::Value FileHandle::bytes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  snapshot::MappedFile& opened = file(env);
  const int64_t begin = info[0].ToNumber().Int64Value();
  const int64_t length = info[1].ToNumber().Int64Value();
  if (begin < 0 || length < 0 || begin > opened.size() || length > opened.size() - begin) {
    check(env, make_error(Code::kCorruptFile, "bytes %lld..%lld lie outside a file of %lld bytes",
                          static_cast<long long>(begin), static_cast<long long>(begin + length),
                          static_cast<long long>(opened.size())));
  }
  Napi::Uint8Array copy = Napi::Uint8Array::New(env, static_cast<size_t>(length));
  if (length > 0) std::memcpy(copy.Data(), opened.data() + begin, static_cast<size_t>(length));
  return copy;
}

// tensor(begin, dtype, shape) -> NativeTensor that shares the file's memory
Napi::Value FileHandle::tensor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  snapshot::MappedFile& opened = file(env);
  const int64_t begin = info[0].ToNumber().Int64Value();
  TensorView view{nullptr, read_dtype(info[1]), read_shape(info[2])};
  const int64_t bytes = view.shape.elements() < 0 ? -1 : view.bytes();
  if (begin < 0 || bytes < 0 || begin > opened.size() || bytes > opened.size() - begin ||
      begin % static_cast<int64_t>(dtype_size(view.dtype)) != 0) {
    check(env, make_error(Code::kCorruptFile, "a tensor of %lld bytes at %lld does not fit in a file of %lld",
                          static_cast<long long>(bytes), static_cast<long long>(begin),
                          static_cast<long long>(opened.size())));
  }
  view.data = opened.data() + begin;
  return Tensor::make(env, view, file_, 0);
}

Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int error = platform::lock_descriptor(info[0].As<Napi::Number>().Int32Value());
  if (error != 0 && error != EWOULDBLOCK)
    throw EnvState::of(env).error(env, snapshot::io_error("lock", "the file", error));
  return Napi::Boolean::New(env, error == 0);
}

Napi::Value checksums(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  auto tensors = read_tensors(info[1]);
  auto digests = std::make_shared<std::vector<std::string>>();
  Device* device = job->device->device.get();
  job->work = [tensors, digests, device](Context&) {
    *digests = digest_all(tensors->views, *device);
    return ok_status();
  };
  job->settle = [digests](Napi::Env settled) -> Napi::Value {
    const Napi::Array array = Napi::Array::New(settled, digests->size());
    for (uint32_t i = 0; i < digests->size(); ++i) array.Set(i, (*digests)[i]);
    return array;
  };
  return EnvState::of(env).start(env, std::move(job));
}

Napi::Value write_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  Napi::Uint8Array given = info[2].As<Napi::Uint8Array>();
  auto header = std::make_shared<std::vector<uint8_t>>(given.Data(), given.Data() + given.ByteLength());
  auto tensors = read_tensors(info[3]);
  job->work = [header, tensors, path = info[1].ToString().Utf8Value()](Context& context) {
    snapshot::AtomicWriter writer;
    if (Status status = snapshot::AtomicWriter::open(path, writer); !status.ok()) return status;
    Status status = writer.append(header->data(), static_cast<int64_t>(header->size()));
    for (size_t i = 0; i < tensors->views.size() && status.ok(); ++i) {
      if (context.cancelled()) return make_error(Code::kAborted, "writing was cancelled");
      status = writer.append(tensors->views[i].data, tensors->views[i].bytes());
    }
    return status.ok() ? writer.commit() : status;
  };
  job->cancel = CancelHandle::from(info[4]);
  job->settle = [](Napi::Env settled) -> Napi::Value { return settled.Undefined(); };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace silverlode::binding
