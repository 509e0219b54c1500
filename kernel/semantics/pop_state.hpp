// What the broker remembers of popped messages: per group, topic and queue a cursor and what is out and not acknowledged.
//
// Everything in [committed, cursor) that no checkpoint holds was acknowledged. So the state is as big as what is out, and a queue with nothing out
// is two numbers.
#pragma once

#include "kernel/broker/fetch/wait_wheel.hpp"
#include "kernel/broker/registry/offsets.hpp"
#include "kernel/broker/registry/topics.hpp"

#include <gantry/draft/pop.h>

#include <bit>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gantry::semantics {

struct PopQueue;

// Something that happens when its time has come. Monotonic milliseconds.
struct Due : broker::WheelNode {
  enum class Kind : std::uint8_t { kCheckpoint, kHeld, kOrder };
  Kind kind = Kind::kCheckpoint;
  bool on_wheel = false;
  PopQueue *queue = nullptr;
};

// Messages that one pop took from one queue, or one message whose invisible time was changed.
struct Checkpoint : Due {
  std::int64_t start_off = 0;  // where the pop began; the first message may lie behind it
  std::int64_t pop_ms = 0, invisible_ms = 0;
  std::int64_t phys_pos = 0;   // log position that none of its messages lies before
  std::uint32_t pending = 0;   // bit i: message i is neither acknowledged nor stored again
  std::uint32_t reviving = 0;  // bit i: its time is over, it is being stored again
  std::uint32_t n = 0;
  bool keep_count = false;     // its next delivery does not count as one
  std::uint32_t diffs[GANTRY_POP_MAX_RECORDS];  // queue offset of message i - start_off

  [[nodiscard]] std::int64_t offset(std::uint32_t i) const { return start_off + diffs[i]; }
  // -1: none of its messages.
  [[nodiscard]] int index_of(std::int64_t off) const {
    for (std::uint32_t i = 0; i < n; ++i)
      if (offset(i) == off) return static_cast<int>(i);
    return -1;
  }
  [[nodiscard]] std::int64_t first_pending() const { return offset(static_cast<std::uint32_t>(std::countr_zero(pending))); }
};

// What was popped in order from a queue last. It blocks the queue until all of it is acknowledged or visible again.
struct OrderInfo : Due {
  struct Message {
    std::int64_t offset = 0, visible_ms = 0;  // visible_ms: wall clock
    std::uint32_t deliveries = 0;             // before this one
    bool acked = false;
  };
  std::string attempt;
  std::int64_t pop_ms = 0;
  std::vector<Message> messages;

  [[nodiscard]] bool blocks(std::int64_t now_ms) const {
    for (const Message &m : messages)
      if (!m.acked && now_ms < m.visible_ms) return true;
    return false;
  }
  // Up to where everything is acknowledged.
  [[nodiscard]] std::int64_t next_off() const {
    for (const Message &m : messages)
      if (!m.acked) return m.offset;
    return messages.back().offset + 1;
  }
};

struct PopQueue {
  broker::OffsetKey key;
  std::string_view group;          // name; lives as long as the process
  broker::Topic *topic = nullptr;  // the topic popped from, a retry topic perhaps
  std::int64_t cursor = -1;        // next offset to hand out; -1: not begun
  std::int64_t committed = -1;     // as last written: another value in the broker's table means that somebody moved the group
  std::uint32_t epoch = 0;         // grows when the topic or the group is deleted: what is read meanwhile does not count
  bool busy = false;               // a read of it is under way
  bool row_stale = false;          // cursor or committed differ from the row
  std::map<std::int64_t, Checkpoint> checkpoints;  // by start_off; only with pending messages
  std::map<std::int64_t, Checkpoint> held;         // changed invisible times, by the offset of the one message
  std::unique_ptr<OrderInfo> order;

  // The lowest offset that a restart must hand out again.
  [[nodiscard]] std::int64_t safe_off() const {
    std::int64_t off = cursor;
    if (!checkpoints.empty()) off = std::min(off, checkpoints.begin()->second.first_pending());
    if (!held.empty()) off = std::min(off, held.begin()->first);
    return off;
  }
  // Log position that nothing which is out lies before; INT64_MAX: nothing is out.
  [[nodiscard]] std::int64_t hold_pos() const {
    std::int64_t pos = INT64_MAX;
    if (!checkpoints.empty()) pos = checkpoints.begin()->second.phys_pos;
    if (!held.empty()) pos = std::min(pos, held.begin()->second.phys_pos);
    return pos;
  }
  // The checkpoint that holds this message pending, and which of its messages it is; null when none does.
  [[nodiscard]] Checkpoint *find(std::int64_t offset, int *index) {
    if (const auto it = held.find(offset); it != held.end()) {
      *index = 0;
      return &it->second;
    }
    auto it = checkpoints.upper_bound(offset);
    if (it == checkpoints.begin()) return nullptr;
    Checkpoint &found = std::prev(it)->second;
    *index = found.index_of(offset);
    return *index >= 0 && (found.pending >> *index & 1) != 0 ? &found : nullptr;
  }
};

// Where what a group did not acknowledge of a topic is stored again.
[[nodiscard]] std::string pop_retry_topic(std::string_view group, std::string_view topic);

// Tells this delivery of a message from all others, with the odds of a 64-bit hash.
[[nodiscard]] std::int64_t delivery_identity(const PopQueue &queue, std::int64_t offset, std::int64_t pop_ms);

// ---- rows: "pop/" KIND GROUP 0 TOPIC 0 queue(4) [offset(8)], all integers big-endian ----
//
//   q: cursor 8, committed 8                            one per queue
//   c: checkpoint, h: message with a changed time       offset = start_off
//      version 1, n 1, flags 1, 0, pending 4, pop_ms 8, invisible_ms 8, phys_pos 8, diffs 4 each
//   i: what was popped in order last                    one per queue, while any of it is not acknowledged
//      version 1, n 1, bytes of attempt 1, 0, acknowledged (bit i: message i) 4, pop_ms 8, attempt, and for each: offset 8, visible_ms 8, deliveries 4
//   "pop/o" alone: op queue offset 8                    what op records before it name is settled
inline constexpr std::string_view kPopOpRow = "pop/o";
struct PopRow {
  char kind = 0;
  std::string_view group, topic;
  std::uint32_t queue_no = 0;
  std::int64_t offset = 0;
};
[[nodiscard]] std::string pop_queue_key(const PopQueue &queue);
[[nodiscard]] std::string pop_queue_value(const PopQueue &queue);
[[nodiscard]] std::string order_key(const PopQueue &queue);
[[nodiscard]] std::string order_value(const OrderInfo &order);  // empty: all of it is acknowledged
[[nodiscard]] std::string checkpoint_key(const PopQueue &queue, const Checkpoint &ck);
[[nodiscard]] std::string checkpoint_value(const Checkpoint &ck);
// False: the bytes have another shape. `key` without the prefix "pop/".
[[nodiscard]] bool decode_pop_key(std::string_view key, PopRow *out);
[[nodiscard]] bool decode_pop_queue(std::string_view value, std::int64_t *cursor, std::int64_t *committed);
[[nodiscard]] bool decode_order(std::string_view value, OrderInfo *out);
[[nodiscard]] bool decode_checkpoint(std::string_view value, std::int64_t start_off, Checkpoint *out);

}  // namespace gantry::semantics
