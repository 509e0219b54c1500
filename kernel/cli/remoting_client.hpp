// A small blocking RocketMQ remoting client for the command line: what `gantry send`, `consume`, `filter try` and `plugin top` need, over the wire like any
// other client. Frame and header: a 4-byte length, one byte of header type and three of header length, JSON header, body.
#pragma once

#include <gantry++/result.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::cli {

// For the help of commands that ask a broker or name server.
inline constexpr const char *kCredentials = "With access control: the environment variables GANTRY_ACCESS_KEY and GANTRY_SECRET_KEY.";

struct Reply {
  int code = 0;
  std::int32_t opaque = 0;
  bool is_request = false;  // the broker asks something; nothing to answer here
  std::string remark;
  std::map<std::string, std::string> fields;
  std::string body;
};

using Fields = std::map<std::string, std::string>;

// One connection; not thread-safe.
class RemotingClient {
 public:
  // "host:port" or "[v6]:port". Errors name the address and say what to check.
  [[nodiscard]] static Result<RemotingClient> connect(const std::string &address);
  RemotingClient(RemotingClient &&other) noexcept : fd_(other.fd_), next_opaque_(other.next_opaque_), address_(std::move(other.address_)) { other.fd_ = -1; }
  RemotingClient(const RemotingClient &) = delete;
  RemotingClient &operator=(const RemotingClient &) = delete;
  RemotingClient &operator=(RemotingClient &&) = delete;
  ~RemotingClient();

  // Sends a request and returns its opaque. Signed where the environment has GANTRY_ACCESS_KEY and GANTRY_SECRET_KEY.
  [[nodiscard]] Result<std::int32_t> send(int code, const Fields &fields, std::string_view body = {});
  // The next frame; waits at most timeout_ms, then GANTRY_E_TIMEOUT.
  [[nodiscard]] Result<Reply> receive(int timeout_ms);
  // send, then receive until its reply comes.
  [[nodiscard]] Result<Reply> call(int code, const Fields &fields, std::string_view body = {}, int timeout_ms = 5000);
  [[nodiscard]] const std::string &address() const { return address_; }

 private:
  RemotingClient(int fd, std::string address) : fd_(fd), address_(std::move(address)) {}
  [[nodiscard]] Result<void> read_exactly(char *to, std::size_t n, std::int64_t deadline_ms);

  int fd_;
  std::int32_t next_opaque_ = 0;
  std::string address_;
};

struct QueueRoute {
  std::string broker_name, address;
  int read_queues = 0, write_queues = 0, perm = 0;
};

// Asks a name server where a topic is; for an unknown topic, where TBW102 is (a first send there makes the topic).
[[nodiscard]] Result<std::vector<QueueRoute>> find_route(const std::string &nameserver, const std::string &topic, bool allow_default);

struct StoredMessage {
  std::string topic, body, properties;
  int queue_no = 0;
  std::int64_t queue_offset = 0, store_ms = 0;
  std::uint32_t sys_flags = 0;
  std::string_view record;  // the whole of it, in the body that was decoded
};
// The messages of a pull reply's body (RocketMQ's stored layout).
[[nodiscard]] Result<std::vector<StoredMessage>> decode_messages(std::string_view body);
// Value of one property, or "".
[[nodiscard]] std::string property_of(std::string_view properties, std::string_view key);

}  // namespace gantry::cli
