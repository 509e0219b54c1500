// Service tables and scratch memory that the links of one registrar share. All on the registrar's shard.
#pragma once

#include "access/gate.hpp"
#include "codec/header.hpp"
#include "codec/scratch.hpp"
#include "registration/registrar.hpp"

#include <gantry/draft/host.h>

#include <vector>

namespace gantry::remoting {

struct Registrar::Tools {
  explicit Tools(const gantry_host *host_in)
      : host(host_in),
        net(static_cast<const gantry_net_v1 *>(host->query(host, GANTRY_NET_ID))),
        exec(static_cast<const gantry_exec_v1 *>(host->query(host, GANTRY_EXEC_ID))),
        log_table(static_cast<const gantry_log_v1 *>(host->query(host, GANTRY_LOG_ID))),
        clock(static_cast<const gantry_clock_v1 *>(host->query(host, GANTRY_CLOCK_ID))),
        broker(static_cast<const gantry_broker_v1 *>(host->query(host, GANTRY_BROKER_ID))) {
    GANTRY_ASSERT(net != nullptr && exec != nullptr && log_table != nullptr && clock != nullptr && broker != nullptr);
  }

  void log(std::int32_t level, const std::string &text) const {
    log_table->write(host, level, text.data(), static_cast<std::uint32_t>(text.size()));
  }
  [[nodiscard]] std::int64_t now_ms() const { return clock->now_ns(host) / 1'000'000; }

  const gantry_host *const host;
  const gantry_net_v1 *const net;
  const gantry_exec_v1 *const exec;
  const gantry_log_v1 *const log_table;
  const gantry_clock_v1 *const clock;
  const gantry_broker_v1 *const broker;
  OwnSignature signature{host};
  Scratch scratch{kHeaderMaxBytes + kScratchSlack};
  Header header;
  std::vector<std::uint8_t> head;
};

}  // namespace gantry::remoting
