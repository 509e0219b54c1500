// Writes replies. Replies to one connection that follow each other share one reserve and commit of the kernel.
#pragma once

#include "codec/writer.hpp"
#include "remoting/pending.hpp"
#include "remoting/services.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::remoting {

// Text of a stranger as it may stand in a remark: at most 128 bytes, printable ASCII.
[[nodiscard]] std::string shown(std::string_view text);

class Output {
 public:
  explicit Output(const Services &services) : services_(services) {}

  // Room for `bytes` (up to 64 KiB) at the end of the connection's output; the bytes written become part of it with used().
  // NULL: the connection is gone, or is closed now because its peer does not read. flush() must end every callback.
  [[nodiscard]] std::uint8_t *room(gantry_conn conn, std::uint32_t bytes);
  void used(std::uint32_t bytes) {
    at_ += bytes;
    left_ -= bytes;
  }
  void flush();

  // Queues spans as they are; see net.send.
  void send(gantry_conn conn, const gantry_span *spans, std::uint32_t n);

  // A reply of any shape; nothing at all for a oneway request. The remark is cut to 1000 bytes.
  void reply(const ReplyTo &to, std::int32_t code, std::string_view remark = {}, const ExtField *ext = nullptr,
             std::uint32_t n_ext = 0, std::string_view body = {});

  [[nodiscard]] std::uint64_t slow_readers() const { return slow_readers_; }

 private:
  void refused(gantry_conn conn);

  const Services &services_;
  gantry_conn conn_ = 0;  // of the open reservation; 0 = none
  std::uint8_t *begin_ = nullptr, *at_ = nullptr;
  std::uint32_t left_ = 0;
  std::uint64_t slow_readers_ = 0;
  std::vector<std::uint8_t> large_;
};

}  // namespace gantry::remoting
