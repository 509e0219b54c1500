// What stands behind the gantry_host that an instance is given, and the registry of service tables it is queried for.
#pragma once

#include "kernel/base/call_meter.hpp"

#include <gantry/abi.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace gantry {

// Service tables by id. Filled while the process starts, read-only afterwards, so lookups need no lock.
class ServiceTables {
 public:
  void add(const char *id, const void *table) { tables_.emplace_back(id, table); }
  [[nodiscard]] const void *find(const char *id) const {
    for (const auto &[known, table] : tables_)
      if (std::strcmp(known, id) == 0) return table;
    return nullptr;
  }

 private:
  std::vector<std::pair<const char *, const void *>> tables_;
};

// One per instance; lives until the instance is destroyed. `io`, `broker` and `security` are set by main and used by the tables of those parts.
struct HostContext {
  gantry_host abi{};
  std::string label;  // "protocol-remoting/nameserver", prefix of its log lines
  const ServiceTables *tables = nullptr;
  void *io = nullptr;      // gantry::io::ShardSet
  void *broker = nullptr;  // gantry::broker::Broker, null in a process that is only a name server
  void *security = nullptr;  // gantry::security::Security, null without access control
  bool guarded = false;      // whether what comes to this instance must be signed and allowed
  const gantry_component *component = nullptr;
  void *self = nullptr;  // after create
  CallMeter *input_meter = nullptr;  // of a protocol: its on_bytes; may be null

  HostContext() {
    abi.size = sizeof abi;
    abi.abi_minor = GANTRY_ABI_MINOR;
    abi.ctx = this;
    abi.query = [](const gantry_host *host, const char *id) noexcept -> const void * {
      return of(host)->tables->find(id);
    };
  }
  HostContext(const HostContext &) = delete;
  HostContext &operator=(const HostContext &) = delete;

  [[nodiscard]] static HostContext *of(const gantry_host *host) { return static_cast<HostContext *>(host->ctx); }
};

}  // namespace gantry
