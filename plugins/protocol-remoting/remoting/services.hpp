// The kernel's tables that the remoting protocol works with, fetched once.
#pragma once

#include <gantry++/result.hpp>
#include <gantry/draft/admin.h>
#include <gantry/draft/broker.h>
#include <gantry/draft/host.h>
#include <gantry/draft/net.h>
#include <gantry/draft/pop.h>

#include <string_view>

namespace gantry::remoting {

struct Services {
  const gantry_host *host = nullptr;
  const gantry_net_v1 *net = nullptr;
  const gantry_broker_v1 *broker = nullptr;
  const gantry_session_v1 *session = nullptr;
  const gantry_admin_v1 *admin = nullptr;
  const gantry_exec_v1 *exec = nullptr;
  const gantry_cq_v1 *cq = nullptr;
  const gantry_log_v1 *log = nullptr;
  const gantry_metrics_v1 *metrics = nullptr;
  const gantry_clock_v1 *clock = nullptr;
  const gantry_pop_v1 *pop = nullptr;                // these two: NULL where the kernel does not offer them
  const gantry_assignment_v1 *assignment = nullptr;

  // E_UNSUPPORTED names the table that this kernel lacks.
  [[nodiscard]] static Result<Services> of(const gantry_host *host);

  [[nodiscard]] std::int64_t now_ms() const { return clock->coarse_ms(host); }  // wall clock
  void write_log(std::int32_t level, std::string_view text) const {
    if (log->enabled(host, level) != 0) log->write(host, level, text.data(), static_cast<std::uint32_t>(text.size()));
  }
};

}  // namespace gantry::remoting
