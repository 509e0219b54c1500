// One connection of a shard, and the table that names connections by shard, generation and slot.
#pragma once

#include <gantry/draft/protocol.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/host_context.hpp"
#include "kernel/io/address.hpp"
#include "kernel/io/options.hpp"

namespace gantry::io {

class TlsContext;
class TlsSession;

// A protocol instance that listens or connects. Made once per HostContext, kept as long as the ShardSet.
struct Instance {
  HostContext *host;
  const gantry_protocol_v1 *protocol;
  std::uint32_t max_input_bytes;
  std::uint32_t default_port;
  std::atomic<bool> listens{false};
  [[nodiscard]] void *self() const { return host->self; }
};

// What the connections of one listen() call, or all outbound connections of an instance, have in common.
struct Origin {
  Instance *instance = nullptr;
  std::uint32_t max_connections = 0;
  std::uint32_t max_input_bytes = 0;
  std::int64_t idle_timeout_ms = 0;
  TlsMode tls_mode = TlsMode::kOff;
  std::shared_ptr<TlsContext> tls;  // null without a certificate
  std::atomic<std::uint32_t> connections{0};
};

// A piece of output of this turn.
struct Piece {
  const std::uint8_t *p;
  std::uint32_t n;
  gantry_owner *owner;  // null: in the shard's arena, or held by an earlier piece
};

// What a connection was given to send in this turn; taken from and returned to the shard's pool.
struct TurnOutput {
  std::vector<Piece> pieces;
  std::size_t bytes = 0;
};

// Bytes in malloc'ed memory, taken from the front, appended at the end. Holds no memory when empty.
class ByteQueue {
 public:
  ByteQueue() = default;
  ~ByteQueue() { clear(); }
  ByteQueue(const ByteQueue &) = delete;
  ByteQueue &operator=(const ByteQueue &) = delete;
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] std::size_t spare() const { return capacity_ - end_; }
  [[nodiscard]] std::uint8_t *data() { return memory_ + begin_; }
  void append(const std::uint8_t *p, std::size_t n);
  // At least n spare bytes behind data() + size(), in all not much more than `in_all`; then added().
  void make_room(std::size_t n, std::size_t in_all);
  void added(std::size_t n) { end_ += n; }
  void drop_front(std::size_t n);
  void clear();

 private:
  std::uint8_t *memory_ = nullptr;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

enum class Stage : std::uint8_t {
  kFree,
  kConnecting,  // outbound, TCP not yet established
  kFirstByte,   // accepted, plain or TLS not yet known
  kHandshake,   // TLS
  kOpen,        // conn_open returned OK
  kClosing,     // in the shard's list of connections to close; nothing but conn_close is called any more
};

struct Dial;  // an outbound attempt, see connect.cpp

struct Connection {
  std::uint32_t slot = 0, generation = 1;
  int fd = -1;
  Stage stage = Stage::kFree;
  bool opened : 1 = false;             // conn_open returned OK and conn_close is due
  bool outbound : 1 = false;
  bool dirty : 1 = false;              // in the shard's list of connections to flush
  bool stalled : 1 = false;            // on_bytes said E_AGAIN
  bool over_soft : 1 = false;          // not read until the peer takes output
  bool no_more_reading : 1 = false;    // draining or closing after flush
  bool close_after_flush : 1 = false;
  bool has_read : 1 = false;
  std::uint32_t interest = 0;          // as the poller knows it
  std::uint32_t need = 0;              // bytes of the next frame in all, 0 = unknown
  std::int32_t close_reason = GANTRY_OK;
  Origin *origin = nullptr;
  void *state = nullptr;  // the protocol's
  ByteQueue input;        // an incomplete frame
  ByteQueue pending;      // output the peer did not take
  TurnOutput *output = nullptr;
  std::unique_ptr<TlsSession> tls;
  std::unique_ptr<Dial> dial;
  std::uint64_t timer = 0;
  std::int64_t timer_deadline_ms = 0;
  std::int64_t opened_ms = 0;     // of the present stage
  std::int64_t active_ms = 0;     // last read or write
  std::int64_t progress_ms = 0;   // the peer last took output
  std::int64_t queued_ms = 0;     // output was last queued
  std::uint64_t user_data = 0;
  std::int32_t unacknowledged_bytes = 0;  // in the socket, when progress was last looked at
  std::uint32_t listener = 0;
  Endpoint peer;

  Connection();
  ~Connection();
  [[nodiscard]] std::size_t queued_bytes() const { return pending.size() + (output == nullptr ? 0 : output->bytes); }
};

// shard in the highest 8 bits, then 32 bits of generation >= 1, then 24 bits of slot. The lower 56 bits name it within the shard.
inline constexpr int kConnShardShift = 56;
inline constexpr int kConnGenerationShift = 24;
inline constexpr std::uint32_t kMaxConnSlots = 1u << kConnGenerationShift;
[[nodiscard]] inline std::uint32_t shard_of(gantry_conn conn) { return static_cast<std::uint32_t>(conn >> kConnShardShift); }

// Slots in chunks that never move. Owned by one shard; not thread-safe.
class ConnectionTable {
 public:
  [[nodiscard]] Connection *add();  // null: no slot left
  void release(Connection &conn);   // resets it; ids of it are stale from now on
  [[nodiscard]] Connection *find(std::uint64_t conn);  // null: stale
  [[nodiscard]] static std::uint64_t name(const Connection &conn) {
    return std::uint64_t{conn.generation} << kConnGenerationShift | conn.slot;
  }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  template <typename F>
  void for_each(F f) {
    for (std::uint32_t i = 0; i < end_; ++i)
      if (Connection &conn = at(i); conn.stage != Stage::kFree) f(conn);
  }

 private:
  static constexpr std::uint32_t kChunk = 64;
  [[nodiscard]] Connection &at(std::uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  std::vector<std::unique_ptr<Connection[]>> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t end_ = 0, size_ = 0;
};

}  // namespace gantry::io
