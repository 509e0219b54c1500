#include "fake_net.hpp"

#include "support/test_util.h"

#include <gantry++/str.hpp>

namespace gantry::remoting::test {

using gantry::test::require;

FakeNet *FakeNet::current_ = nullptr;

FakeNet::Conn *FakeNet::find(gantry_conn conn) {
  const auto it = current_->conns.find(conn);
  return it != current_->conns.end() && it->second.open ? &it->second : nullptr;
}

std::int32_t FakeNet::send(const gantry_host *, gantry_conn conn, const gantry_span *spans, std::uint32_t n) noexcept {
  require(current_->reserved_conn_ == 0, "net.send between reserve and commit");
  Conn *c = find(conn);
  if (c == nullptr) return GANTRY_E_CLOSED;
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < n; ++i) bytes += spans[i].n;
  if (c->output.size() + bytes > c->limit) return GANTRY_E_AGAIN;
  for (std::uint32_t i = 0; i < n; ++i) c->output += view(spans[i]);
  ++current_->sends;
  current_->spans += n;
  return GANTRY_OK;
}

std::uint8_t *FakeNet::reserve(const gantry_host *, gantry_conn conn, std::uint32_t n) noexcept {
  require(current_->reserved_conn_ == 0, "net.reserve before the commit of the last one");
  require(n <= 64 * 1024, "net.reserve of more than 64 KiB");
  Conn *c = find(conn);
  if (c == nullptr || c->output.size() >= c->limit) return nullptr;
  current_->reserved_conn_ = conn;
  current_->reserved_ = std::vector<std::uint8_t>(n);
  return current_->reserved_.data();
}

void FakeNet::commit(const gantry_host *, gantry_conn conn, std::uint32_t n) noexcept {
  require(conn == current_->reserved_conn_ && n <= current_->reserved_.size(), "net.commit of something that was not reserved");
  current_->reserved_conn_ = 0;
  ++current_->commits;
  if (Conn *c = find(conn)) c->output.append(reinterpret_cast<const char *>(current_->reserved_.data()), n);
}

void FakeNet::close(const gantry_host *, gantry_conn conn, std::uint32_t, const char *reason) noexcept {
  require(current_->reserved_conn_ == 0, "net.close between reserve and commit");
  if (Conn *c = find(conn)) {
    c->open = false;
    c->close_reason = reason;
  }
}

std::int32_t FakeNet::connect(const gantry_host *, std::uint32_t, gantry_str address, std::uint32_t, std::uint64_t user_data) noexcept {
  current_->connects.push_back({std::string(view(address)), user_data});
  return GANTRY_OK;
}

}  // namespace gantry::remoting::test
