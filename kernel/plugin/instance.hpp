// One running thing made of a component: its host, its configuration, and the exact pairing of its life-cycle calls.
#pragma once

#include "kernel/base/host_context.hpp"

#include <gantry++/result.hpp>
#include <gantry/abi.h>

#include <memory>
#include <string>
#include <vector>

namespace gantry::plugin {

struct InstanceSetup {
  std::string label;                            // prefix of its log lines and metrics: "protocol-remoting/nameserver"
  std::shared_ptr<const gantry_config> config;  // values bound to the component's keys
  const ServiceTables *tables = nullptr;        // outlives the instance
  void *io = nullptr;                           // HostContext::io
  void *broker = nullptr;                       // HostContext::broker
  void *security = nullptr;                     // HostContext::security
  bool guarded = false;                         // HostContext::guarded
};

// Control thread only. Every create that returned OK meets exactly one destroy, every start exactly one stop, whatever fails.
class Instance {
 public:
  Instance(const gantry_component &component, InstanceSetup setup);
  ~Instance();  // stops and destroys what is still up
  Instance(const Instance &) = delete;
  Instance &operator=(const Instance &) = delete;

  // Each at most once and in this order; breaking it is a bug of the kernel and asserted. The error is the plugin's own, with the
  // label and the call in front. After a failed create or start the instance may only be destroyed.
  [[nodiscard]] Result<void> create();
  [[nodiscard]] Result<void> start();
  void stop();     // nothing when not started
  void destroy();  // stops first when started; nothing when not created

  [[nodiscard]] const gantry_component &component() const { return *host_.component; }
  [[nodiscard]] const std::string &label() const { return host_.label; }
  [[nodiscard]] HostContext &host() { return host_; }
  [[nodiscard]] const gantry_config &config() const { return *config_; }
  [[nodiscard]] void *self() const { return host_.self; }
  [[nodiscard]] bool started() const { return state_ == State::kStarted; }
  // Started and, as far as the component can tell, fully in service.
  [[nodiscard]] bool ready() const {
    return started() && (component().ready == nullptr || component().ready(host_.self) == GANTRY_OK);
  }
  // The component's table; T is the struct of its interface id.
  template <typename T>
  [[nodiscard]] const T &table() const {
    return *static_cast<const T *>(host_.component->vtable);
  }

 private:
  enum class State { kNew, kCreated, kStarted, kStopped, kDestroyed };
  HostContext host_;
  std::shared_ptr<const gantry_config> config_;
  State state_ = State::kNew;
};

// Instances in their order: created and started forwards, stopped and destroyed backwards, also on failure and on destruction.
class InstanceSet {
 public:
  InstanceSet() = default;
  ~InstanceSet() { destroy_all(); }
  InstanceSet(const InstanceSet &) = delete;
  InstanceSet &operator=(const InstanceSet &) = delete;

  Instance &add(const gantry_component &component, InstanceSetup setup);
  [[nodiscard]] const std::vector<std::unique_ptr<Instance>> &all() const { return instances_; }

  // The first failure unwinds everything that is up and is returned.
  [[nodiscard]] Result<void> create_all();
  [[nodiscard]] Result<void> start_all();
  void stop_all();
  void destroy_all();

 private:
  std::vector<std::unique_ptr<Instance>> instances_;
};

}  // namespace gantry::plugin
