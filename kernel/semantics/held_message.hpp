// A message that waited in a hidden queue goes on to the topic and queue it was sent to.
#pragma once

#include "kernel/broker/produce/relay.hpp"

#include <string>

namespace gantry::semantics {

struct Forwarding {
  gantry_link op{GANTRY_NO_QUEUE, 0};  // the record's second queue: the note that the message is delivered
  std::int64_t now_ms = 0;
  bool timed = false;                  // it had a due time of its own: says when it came and when it went on
  bool committed = false;              // it is a half message, and says so
  broker::Topic *instead = nullptr;    // goes to queue 0 of this topic, not to where it was sent
  broker::RelayDone done = nullptr;
  void *arg = nullptr;
  std::uint64_t user_data = 0;
};

// What can never succeed, so that there is no use in trying again.
[[nodiscard]] inline bool is_undeliverable(std::int32_t status) { return status == GANTRY_E_CORRUPT || status == GANTRY_E_NOT_FOUND || status == GANTRY_E_LIMIT; }

// OK: `done` will be called. CORRUPT, NOT_FOUND, LIMIT: it can never be delivered, `*why` says what about it ("is for ..."). Otherwise as Relay::store.
// [thread: shard]
[[nodiscard]] std::int32_t forward_held(broker::Core &core, broker::Relay &relay, const gantry_record &record, const Forwarding &to, std::string *why);

}  // namespace gantry::semantics
