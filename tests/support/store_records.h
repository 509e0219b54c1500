// Records for store tests: RocketMQ's stored message layout around a body, and batches of append requests that own their bytes.
#pragma once

#include "support/store_instance.h"

#include <deque>
#include <string>
#include <vector>

namespace gantry::test {

// Where the layout keeps what a store writes (IPv4 born host): queue offset, log position, store time.
constexpr std::uint16_t kFixQueueOff = 20, kFixPhysOff = 28, kFixStoreMs = 56;
// Bytes of the layout before the body.
constexpr std::size_t kRecordHeadBytes = 88;

// Store time of messages that do not name one, and where tests that keep much data start the host's wall clock: retention of a
// store must not take the test's records away.
constexpr std::int64_t kTestWallMs = 1700000000000;

// One stored message (version 1, all hosts IPv4 zero, no properties) with a right body CRC and zeros at the three fix positions.
// Source of the layout: RocketMQ's message store format. topic: at most 127 bytes.
[[nodiscard]] std::string make_record(std::string_view topic, std::uint32_t queue_no, std::string_view body);
[[nodiscard]] std::string body_of(std::string_view record);

// `bytes` with the three fix-ups applied at the positions above.
[[nodiscard]] std::string with_fixes(std::string bytes, std::int64_t queue_off, std::int64_t phys_pos, std::int64_t store_ms);

// Bytes that differ with the seed, so that a record in the wrong place is seen.
[[nodiscard]] std::string filled(std::size_t n, std::uint64_t seed);

// One append as a test says it. Offsets and position are filled in by append_all.
struct Message {
  std::string bytes;
  std::vector<gantry_link> links;
  std::int64_t store_ms = kTestWallMs;
  std::uint32_t durability = GANTRY_DURABILITY_DEFAULT;
  std::vector<std::uint64_t> key_hashes{};
  std::vector<std::size_t> cuts{};  // ends of spans within bytes; the last span ends at its end
  bool fix = true;                  // the three fix positions, or none

  std::int64_t phys_pos = -1;
  std::vector<std::int64_t> offsets{};  // one per link

  // What the store must give back for the link's queue (fix-ups carry link 0's offset).
  [[nodiscard]] std::string expected() const { return fix ? with_fixes(bytes, offsets[0], phys_pos, store_ms) : bytes; }
};

// A message with make_record's layout in one queue.
[[nodiscard]] Message message(gantry_queue queue, std::string_view body, std::int64_t tag = 0);

// Append requests that point into messages; these must stay where they are. user_data = first_user_data + index.
class AppendBatch {
 public:
  AppendBatch(Message *messages, std::size_t n, std::uint64_t first_user_data);
  [[nodiscard]] gantry_append *data() { return requests_.data(); }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(requests_.size()); }

 private:
  std::vector<gantry_append> requests_;
  std::deque<std::vector<gantry_span>> spans_;
};

// Appends all on that shard in calls of up to per_call requests, retrying what AGAIN left over after further turns; waits for
// every completion and fills phys_pos and offsets in. Aborts when a request is refused or fails.
void append_all(StoreInstance &store, std::vector<Message> &messages, std::size_t per_call = 64, std::uint32_t shard = 0);
// The same for one message; returns it filled in.
[[nodiscard]] Message append_one(StoreInstance &store, Message one, std::uint32_t shard = 0);

// All readable records of a queue as (offset -> bytes), by reads of up to per_read records from min_off on.
// Aborts when a read makes no progress or offsets do not grow.
[[nodiscard]] std::map<std::int64_t, std::string> read_queue(StoreInstance &store, gantry_queue queue, std::uint32_t per_read = 256);

}  // namespace gantry::test
