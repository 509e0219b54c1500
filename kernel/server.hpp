// A running Gantry: plugins, shards, broker and listeners put together, started in order and stopped in reverse.
#pragma once

#include "kernel/base/data_dir_lock.hpp"
#include "kernel/broker/broker.hpp"
#include "kernel/broker/metered_store.hpp"
#include "kernel/config/document.hpp"
#include "kernel/io/shard_set.hpp"
#include "kernel/plugin/instance.hpp"
#include "kernel/plugin/plugin_host.hpp"
#include "kernel/security/security.hpp"
#include "kernel/semantics/assignment.hpp"
#include "kernel/semantics/delayed_delivery.hpp"
#include "kernel/semantics/pop.hpp"
#include "kernel/semantics/timers.hpp"
#include "kernel/semantics/transactions.hpp"

#include <memory>
#include <string>
#include <vector>

namespace gantry {

class Server : private broker::EventSink {
 public:
  // The document has been bound to nothing yet; the plugins it names are loaded through `plugins`. Both outlive the server.
  Server(config::Document &document, plugin::PluginHost &plugins) : document_(document), plugins_(plugins) {}
  ~Server() override;
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  // Everything up to open listeners. On an error whatever is up is taken down again and the error names the step.
  // INVALID with the rendered problems when the configuration or a plugin is refused; then nothing was started.
  [[nodiscard]] Result<void> start();
  // Stops accepting, lets replies and parked pulls leave, stops plugins and shards. At most about drain_timeout. Idempotent.
  void stop();
  [[nodiscard]] Result<void> reload_tls() { return io_->reload_tls(); }
  // The rules of access control, all or none; nothing without [auth].
  [[nodiscard]] Result<void> reload_rules() { return security_ != nullptr ? security_->reload() : Result<void>(); }
  [[nodiscard]] bool has_rules() const { return security_ != nullptr; }

  // What the start banner says. `command`: how the user called the program.
  [[nodiscard]] std::string banner(const std::string &command, std::int64_t start_ms) const;

 private:
  struct Protocol {
    plugin::Instance *instance = nullptr;
    std::string plugin_name;
    io::ListenerInfo listener;
  };
  struct Used {  // for the banner
    std::string id, version, path;
  };

  [[nodiscard]] Result<void> bring_up();
  [[nodiscard]] Result<void> load_plugins();
  [[nodiscard]] const gantry_component *component_of(const std::string &plugin, const char *interface_id, const std::string &name, Error *why);
  void wait_until_ready();
  [[nodiscard]] Result<void> make_auth();
  [[nodiscard]] Result<void> make_filters();
  [[nodiscard]] Result<void> make_store_and_broker();
  [[nodiscard]] Result<void> make_pop();
  [[nodiscard]] Result<void> make_protocols();
  [[nodiscard]] Result<void> listen();
  void to_conn(gantry_conn conn, const gantry_event &event) override { io_->send_event(conn, event); }
  void to_all(const gantry_event &event) override { io_->send_event_to_all(event); }

  config::Document &document_;
  plugin::PluginHost &plugins_;
  ServiceTables tables_;
  DataDirLock lock_;
  std::unique_ptr<io::ShardSet> io_;
  const gantry_component *auth_component_ = nullptr;
  std::shared_ptr<const gantry_config> auth_config_;
  std::unique_ptr<security::Security> security_;
  const gantry_component *store_component_ = nullptr;
  std::vector<const gantry_component *> allocator_components_;
  std::vector<const gantry_component *> filter_components_;  // of Document::filters, in their order
  std::vector<std::shared_ptr<const gantry_config>> filter_configs_;
  std::vector<plugin::Instance *> filters_;
  std::vector<const gantry_component *> protocol_components_;
  std::shared_ptr<const gantry_config> store_config_;
  std::vector<std::shared_ptr<const gantry_config>> protocol_configs_;
  HostContext broker_host_;
  plugin::Instance *store_ = nullptr;
  PluginMeters meters_;  // outlives whoever counts
  plugin::InstanceSet instances_;
  std::unique_ptr<broker::MeteredStore> metered_store_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<semantics::DelayedDelivery> delayed_;
  std::unique_ptr<semantics::Timers> timers_;
  std::unique_ptr<semantics::Pop> pop_;
  std::unique_ptr<semantics::Assignment> assignment_;
  std::unique_ptr<semantics::Transactions> transactions_;
  std::vector<Protocol> protocols_;
  std::vector<Used> used_;
  bool stopped_ = true;
};

}  // namespace gantry
