#include "host.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
constexpr std::size_t kMaxPush = 256;
std::uint64_t unread_cell;
}  // namespace

Result<Host> Host::from(const gantry_host *host) {
  Host out;
  out.host_ = host;
  const auto find = [&](const char *id, auto **table) {
    *table = static_cast<std::remove_reference_t<decltype(*table)>>(host->query(host, id));
    return *table != nullptr;
  };
  const char *missing = nullptr;
  if (!find(GANTRY_LOG_ID, &out.log_)) missing = GANTRY_LOG_ID;
  if (!find(GANTRY_CLOCK_ID, &out.clock_)) missing = GANTRY_CLOCK_ID;
  if (!find(GANTRY_EXEC_ID, &out.exec_)) missing = GANTRY_EXEC_ID;
  if (!find(GANTRY_CQ_ID, &out.cq_)) missing = GANTRY_CQ_ID;
  if (missing != nullptr) {
    return Error{GANTRY_E_UNSUPPORTED, std::string("this kernel does not offer ") + missing + "; use a kernel of the plugin's SDK version"};
  }
  (void)find(GANTRY_METRICS_ID, &out.metrics_);
  return out;
}

Host Host::of_tool(const gantry_host *host) {
  Host out;
  out.host_ = host;
  out.log_ = static_cast<const gantry_log_v1 *>(host->query(host, GANTRY_LOG_ID));
  return out;
}

void Host::log(std::int32_t level, const std::string &text) const {
  if (log_ == nullptr) return;
  if (log_->enabled(host_, level) != 0) log_->write(host_, level, text.data(), static_cast<std::uint32_t>(text.size()));
}

std::int32_t Host::push(gantry_cq cq, std::span<const gantry_cqe> cqes) const {
  if (cq == 0) return GANTRY_OK;
  for (std::size_t i = 0; i < cqes.size(); i += kMaxPush) {
    const std::size_t n = std::min(kMaxPush, cqes.size() - i);
    const std::int32_t rc = cq_->push(host_, cq, cqes.data() + i, static_cast<std::uint32_t>(n));
    if (rc < 0) return rc;
  }
  return GANTRY_OK;
}

std::uint64_t *Host::cell(std::uint32_t kind, const char *name, const char *help, std::uint32_t shard) const {
  std::uint64_t *cell = metrics_ != nullptr ? metrics_->cell(host_, kind, name, help, shard) : nullptr;
  return cell != nullptr ? cell : &unread_cell;
}

}  // namespace gantry::commitlog
