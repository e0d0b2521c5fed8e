// What one JavaScript environment (main thread or worker) owns: its open jobs, the error class, the way back to its thread.
// Everything here is used on that thread only, except `complete`.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "binding/device.h"

namespace silverlode::binding {

// Asynchronous work: `work` runs on the device's executor, then `settle` on the JavaScript thread makes the result.
struct Job {
  std::function<Status(Context& context)> work;
  std::function<Napi::Value(Napi::Env env)> settle;
  std::vector<Napi::ObjectReference> keep;  // JavaScript objects that must outlive the work
  std::shared_ptr<OpenDevice> device;
  std::shared_ptr<std::atomic<uint32_t>> cancel;  // non-zero: stop at the next step
  Status status;
  Napi::Promise::Deferred deferred;

  explicit Job(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}
};

class EnvState {
 public:
  explicit EnvState(Napi::Env env);
  ~EnvState() = default;

  static EnvState& of(Napi::Env env) { return *env.GetInstanceData<EnvState>(); }

  Napi::Promise start(Napi::Env env, std::unique_ptr<Job> job);

  // A SilverlodeError (the class injected from TypeScript) for a failed Status.
  Napi::Error error(Napi::Env env, const Status& status) const;

  Napi::FunctionReference error_class;
  Napi::FunctionReference tensor_class;
  Napi::FunctionReference device_class;
  Napi::FunctionReference program_class;
  Napi::FunctionReference file_class;
  Napi::FunctionReference cancel_class;

 private:
  // What calls by way of the notifier find, null once the environment is shut down: some runtimes make the last ones after that.
  using Link = std::shared_ptr<EnvState*>;

  void complete(Job* job);  // executor thread
  void settle(Napi::Env env, Job* job);
  void shut_down();
  static void on_complete(Napi::Env env, Napi::Function, Link* link, Job* job);

  Napi::TypedThreadSafeFunction<Link, Job, &EnvState::on_complete> notifier_;
  Link link_ = std::make_shared<EnvState*>(this);
  std::unordered_set<Job*> jobs_;  // owned
  bool closing_ = false;

  std::mutex mutex_;
  std::condition_variable idle_;
  int64_t working_ = 0;  // jobs whose work has not finished; guarded by mutex_
};

// Throws as a JavaScript exception unless the status is ok.
inline void check(Napi::Env env, const Status& status) {
  if (!status.ok()) throw EnvState::of(env).error(env, status);
}

}  // namespace silverlode::binding
