#include "fake_net.hpp"

namespace gantry::test {

FakeNet *FakeNet::current_ = nullptr;

const gantry_net_v1 *FakeNet::table() {
  static const gantry_net_v1 kTable{
      [](const gantry_host *, gantry_conn conn, const gantry_span *spans, std::uint32_t n) noexcept -> std::int32_t {
        Output &out = current_->outputs_[conn];
        if (current_->full) return GANTRY_E_AGAIN;
        if (out.closed) return GANTRY_E_CLOSED;
        for (std::uint32_t i = 0; i < n; ++i) out.bytes.append(reinterpret_cast<const char *>(spans[i].p), spans[i].n);
        return GANTRY_OK;
      },
      [](const gantry_host *, gantry_conn, std::uint32_t) noexcept -> std::uint8_t * { return nullptr; },
      [](const gantry_host *, gantry_conn, std::uint32_t) noexcept {},
      [](const gantry_host *, gantry_conn conn, std::uint32_t how, const char *reason) noexcept {
        Output &out = current_->outputs_[conn];
        out.closed = true;
        out.how = how;
        out.reason = reason;
      },
      [](const gantry_host *, std::uint32_t shard, gantry_str address, std::uint32_t tls, std::uint64_t user_data) noexcept -> std::int32_t {
        if (current_->connect_code < 0) return current_->connect_code;
        current_->connects.push_back({shard, tls, std::string(address.p, address.n), user_data});
        return GANTRY_OK;
      }};
  return &kTable;
}

}  // namespace gantry::test
