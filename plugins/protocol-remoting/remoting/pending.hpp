// Requests that the broker has accepted and not yet completed: what is needed to answer them. One table per shard, no allocation
// per request once it has grown.
#pragma once

#include "codec/frame.hpp"
#include "remoting/connection.hpp"

#include <gantry++/result.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace gantry::remoting {

enum class PendingKind : std::uint8_t {
  kFree, kSend, kTimedSend, kRecall, kEnd, kCheck, kBatch, kPull, kSeek, kView, kCommit, kSendBack, kDirect, kQuery, kResetSeek, kResetCommit, kPop, kNotify, kAck, kChangeInvisible, kAdmin, kToolJob
};

// Progress of one SEND_BATCH_MESSAGE.
struct BatchProgress {
  std::vector<std::int64_t> positions;  // log position by item; its size is the number of items
  std::int64_t first_offset = 0;        // queue offset of item 0
  std::uint32_t queue_no = 0;
  std::uint32_t expected = 0, completed = 0;
  std::int32_t failure = 0;  // GANTRY_E_* of the first item that failed; TIMEOUT only when nothing worse happened
  std::uint32_t subject = 0;
};

struct ReplyTo {
  gantry_conn conn = 0;
  std::int32_t opaque = 0;
  SerializeType type = SerializeType::kJson;
  bool oneway = false;
};

struct Pending {
  ReplyTo to;
  PendingKind kind = PendingKind::kFree;
  bool upper = false;        // seek: UPPER boundary
  std::uint32_t next_free = kNoSlot;
  Connection *connection = nullptr;
  std::int64_t offset = 0;   // pull: queue offset asked for; seek: begin of the queue; view, check: log position; end: queue offset
  std::unique_ptr<BatchProgress> batch;
};

static_assert(sizeof(Pending) == 48, "a quarter of a million of them should stay small");

class PendingTable {
 public:
  // Requests at the broker per shard.
  static constexpr std::uint32_t kMax = 1u << 18;

  // kNoSlot: full.
  [[nodiscard]] std::uint32_t take(PendingKind kind, Connection &connection, const ReplyTo &to) {
    std::uint32_t slot = free_;
    if (slot != kNoSlot) {
      free_ = slots_[slot].next_free;
    } else {
      if (slots_.size() == kMax) return kNoSlot;
      slot = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    }
    Pending &p = slots_[slot];
    p.to = to;
    p.kind = kind;
    p.connection = &connection;
    ++connection.outstanding;
    return slot;
  }
  [[nodiscard]] Pending &at(std::uint32_t slot) {
    GANTRY_ASSERT(slot < slots_.size() && slots_[slot].kind != PendingKind::kFree);
    return slots_[slot];
  }
  void give_back(std::uint32_t slot) {
    Pending &p = at(slot);
    if (p.connection->id == p.to.conn) --p.connection->outstanding;
    p.kind = PendingKind::kFree;
    p.batch.reset();
    p.next_free = free_;
    free_ = slot;
  }

 private:
  std::vector<Pending> slots_;
  std::uint32_t free_ = kNoSlot;
};

}  // namespace gantry::remoting
