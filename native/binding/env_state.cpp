#include "binding/env_state.h"

namespace silverlode::binding {

EnvState::EnvState(Napi::Env env) {
  const auto release = [](Napi::Env, void*, Link* link) { delete link; };
  notifier_ = decltype(notifier_)::New(env, "silverlode", 0, 1, new Link(link_), release, static_cast<void*>(nullptr));
  notifier_.Unref(env);  // an idle package does not keep the process alive
  // Runs before the environment's own teardown: nothing native is in flight when JavaScript objects go.
  env.AddCleanupHook([this] { shut_down(); });
}

Napi::Promise EnvState::start(Napi::Env env, std::unique_ptr<Job> owned) {
  Job* job = owned.get();
  const Napi::Promise promise = job->deferred.Promise();
  if (closing_) {
    job->deferred.Reject(error(env, make_error(Code::kAborted, "the environment is shutting down")).Value());
    return promise;
  }
  if (!job->cancel) job->cancel = std::make_shared<std::atomic<uint32_t>>(0);
  if (jobs_.empty()) notifier_.Ref(env);
  jobs_.insert(owned.release());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++working_;
  }
  job->device->executor.submit([this, job] {
    if (job->cancel->load(std::memory_order_relaxed) != 0) {
      job->status = make_error(Code::kAborted, "cancelled before it started");
    } else {
      job->status = job->device->attempt(job->work, job->cancel.get());
    }
    complete(job);
  });
  return promise;
}

void EnvState::complete(Job* job) {
  // The notifier may already be closing; then shut_down() drops the job. The lock keeps `this` alive until we are done:
  // shut_down() returns only after it has seen working_ reach zero.
  notifier_.NonBlockingCall(job);
  const std::lock_guard<std::mutex> lock(mutex_);
  --working_;
  idle_.notify_all();
}

void EnvState::on_complete(Napi::Env env, Napi::Function, Link* link, Job* job) {
  if (env != nullptr && **link != nullptr) (**link)->settle(env, job);
}

void EnvState::settle(Napi::Env env, Job* job) {
  const Napi::HandleScope scope(env);
  const std::unique_ptr<Job> owned(job);
  jobs_.erase(job);
  if (jobs_.empty()) notifier_.Unref(env);
  if (!job->status.ok()) {
    job->deferred.Reject(error(env, job->status).Value());
    return;
  }
  try {
    job->deferred.Resolve(job->settle(env));
  } catch (const Napi::Error& failed) {
    job->deferred.Reject(failed.Value());
  } catch (const std::bad_alloc&) {
    job->deferred.Reject(error(env, make_error(Code::kOutOfMemory, "out of memory")).Value());
  } catch (const std::exception& unexpected) {
    job->deferred.Reject(error(env, make_error(Code::kInternal, "%s", unexpected.what())).Value());
  }
}

void EnvState::shut_down() {
  closing_ = true;
  for (Job* job : jobs_) job->cancel->store(1, std::memory_order_relaxed);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return working_ == 0; });
  }
  for (Job* job : jobs_) delete job;
  jobs_.clear();
  *link_ = nullptr;
  notifier_.Release();
}

Napi::Error EnvState::error(Napi::Env env, const Status& status) const {
  if (error_class.IsEmpty()) return Napi::Error::New(env, status.text);
  const Napi::Value made =
      error_class.New({Napi::String::New(env, code_name(status.code)), Napi::String::New(env, status.text)});
  return Napi::Error(env, made);
}

}  // namespace silverlode::binding
