// net.h for tests: keeps what was written to each connection, and can play a peer that does not read.
#pragma once

#include <gantry/draft/net.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gantry::remoting::test {

class FakeNet {
 public:
  FakeNet() { current_ = this; }
  ~FakeNet() { current_ = nullptr; }
  FakeNet(const FakeNet &) = delete;
  FakeNet &operator=(const FakeNet &) = delete;

  struct Conn {
    bool open = true;
    std::string output;
    std::string close_reason;
    std::size_t limit = SIZE_MAX;  // bytes that the peer lets pile up
  };
  struct Connect {
    std::string address;
    std::uint64_t user_data;
  };

  std::map<gantry_conn, Conn> conns;
  std::vector<Connect> connects;
  std::uint32_t sends = 0, commits = 0, spans = 0;
  [[nodiscard]] bool reserved() const { return reserved_conn_ != 0; }
  [[nodiscard]] static const gantry_net_v1 *table() { return &kTable; }

 private:
  static std::int32_t send(const gantry_host *, gantry_conn conn, const gantry_span *spans, std::uint32_t n) noexcept;
  static std::uint8_t *reserve(const gantry_host *, gantry_conn conn, std::uint32_t n) noexcept;
  static void commit(const gantry_host *, gantry_conn conn, std::uint32_t n) noexcept;
  static void close(const gantry_host *, gantry_conn conn, std::uint32_t how, const char *reason) noexcept;
  static std::int32_t connect(const gantry_host *, std::uint32_t shard, gantry_str address, std::uint32_t tls, std::uint64_t user_data) noexcept;
  static Conn *find(gantry_conn conn);

  static FakeNet *current_;
  static constexpr gantry_net_v1 kTable = {send, reserve, commit, close, connect};
  gantry_conn reserved_conn_ = 0;
  std::vector<std::uint8_t> reserved_;
};

}  // namespace gantry::remoting::test
