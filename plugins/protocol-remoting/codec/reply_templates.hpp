// Replies of the two hot requests, written from pre-rendered pieces: only the numbers change from one to the next.
#pragma once

#include "codec/frame.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::remoting {

struct SendReply {
  std::int32_t code = 0;  // 0, or 10..12: stored, with a reservation
  std::int32_t opaque = 0;
  std::int32_t queue_id = 0;
  std::int64_t queue_offset = 0;  // of the first message
  std::int64_t log_position = 0;
};

class SendReplyTemplate {
 public:
  // The id of a message is the upper-case hex of store host address, port and log position.
  SendReplyTemplate(const std::uint8_t *store_ip, std::uint32_t ip_bytes, std::uint32_t store_port, std::string_view region,
                    bool trace_on);

  // Bytes that write needs at most.
  [[nodiscard]] std::uint32_t bound() const { return bound_; }
  // Writes the whole frame and returns its size.
  std::uint32_t write(std::uint8_t *out, SerializeType type, const SendReply &reply) const;

  [[nodiscard]] std::string_view id_prefix() const { return id_prefix_; }  // hex of address and port
  [[nodiscard]] std::string_view region() const { return region_; }
  [[nodiscard]] std::string_view trace_on() const { return trace_on_; }

 private:
  char *put_json(char *out, const SendReply &reply) const;
  char *put_binary(char *out, const SendReply &reply) const;

  std::string id_prefix_, region_, trace_on_;
  std::string json_after_code_;  // from the code's end to the position's hex digits
  std::string binary_ext_;       // ext entries up to the position's hex digits
  std::uint32_t bound_;
};

struct PullReply {
  std::int32_t code = 0;
  std::int32_t opaque = 0;
  std::int64_t next_offset = 0, min_offset = 0, max_offset = 0;
  std::string_view remark;  // name of the outcome; plain ASCII
};

inline constexpr std::uint32_t kPullReplyMax = 512;  // for remarks up to 64 bytes

// Writes prefix and header; body_bytes bytes of stored messages are to follow. Returns the bytes written.
std::uint32_t write_pull_reply(std::uint8_t *out, SerializeType type, const PullReply &reply, std::uint32_t body_bytes);

}  // namespace gantry::remoting
