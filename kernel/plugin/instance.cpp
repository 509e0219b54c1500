#include "kernel/plugin/instance.hpp"

#include "kernel/observe/log.hpp"

#include <cstring>

namespace gantry::plugin {
namespace {

// A plugin may leave the text empty or forget its end.
Error failure(const std::string &label, const char *call, std::int32_t code, const gantry_error &err) {
  std::string text(err.text, ::strnlen(err.text, sizeof err.text));
  if (text.empty()) text = "failed with code " + std::to_string(code) + " and gave no reason";
  return Error{code < 0 ? code : GANTRY_E_INTERNAL, label + ": " + call + ": " + text, err.detail};
}

}  // namespace

Instance::Instance(const gantry_component &component, InstanceSetup setup) : config_(std::move(setup.config)) {
  GANTRY_ASSERT(setup.tables != nullptr && config_ != nullptr);
  host_.label = std::move(setup.label);
  host_.tables = setup.tables;
  host_.io = setup.io;
  host_.broker = setup.broker;
  host_.security = setup.security;
  host_.guarded = setup.guarded;
  host_.component = &component;
}

Instance::~Instance() { destroy(); }

Result<void> Instance::create() {
  GANTRY_ASSERT(state_ == State::kNew);
  gantry_error err{};
  void *self = nullptr;
  const std::int32_t code = host_.component->create(&host_.abi, config_.get(), &self, &err);
  if (code != GANTRY_OK) {
    state_ = State::kDestroyed;
    return failure(host_.label, "create", code, err);
  }
  host_.self = self;
  state_ = State::kCreated;
  return {};
}

Result<void> Instance::start() {
  GANTRY_ASSERT(state_ == State::kCreated);
  gantry_error err{};
  const std::int32_t code = host_.component->start(host_.self, &err);
  if (code != GANTRY_OK) {
    state_ = State::kStopped;
    return failure(host_.label, "start", code, err);
  }
  state_ = State::kStarted;
  log_debug(host_.label, "started");
  return {};
}

void Instance::stop() {
  if (state_ != State::kStarted) return;
  state_ = State::kStopped;
  host_.component->stop(host_.self);
  log_debug(host_.label, "stopped");
}

void Instance::destroy() {
  stop();
  if (state_ != State::kCreated && state_ != State::kStopped) return;
  state_ = State::kDestroyed;
  host_.component->destroy(host_.self);
  host_.self = nullptr;
}

Instance &InstanceSet::add(const gantry_component &component, InstanceSetup setup) {
  instances_.push_back(std::make_unique<Instance>(component, std::move(setup)));
  return *instances_.back();
}

Result<void> InstanceSet::create_all() {
  for (const auto &instance : instances_) {
    if (auto done = instance->create(); !done) {
      destroy_all();
      return done;
    }
  }
  return {};
}

Result<void> InstanceSet::start_all() {
  for (const auto &instance : instances_) {
    if (auto done = instance->start(); !done) {
      destroy_all();
      return done;
    }
  }
  return {};
}

void InstanceSet::stop_all() {
  for (auto it = instances_.rbegin(); it != instances_.rend(); ++it) (*it)->stop();
}

void InstanceSet::destroy_all() {
  stop_all();
  for (auto it = instances_.rbegin(); it != instances_.rend(); ++it) (*it)->destroy();
}

}  // namespace gantry::plugin
