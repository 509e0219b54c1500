// State of one connection. Objects are reused and their memory lives as long as the shard, so that a completion may look at the
// connection of its request after it was closed; the id tells whether it is still the same one.
#pragma once

#include <gantry/draft/auth.h>
#include <gantry/draft/broker.h>
#include <gantry/draft/net.h>

#include <cstdint>
#include <string>

namespace gantry::remoting {

class NameServerLink;

inline constexpr std::uint32_t kNoSlot = 0xFFFFFFFFu;

// A topic as it was when the topics had `generation`.
struct CachedTopic {
  std::uint64_t generation = 0;
  gantry_topic topic = 0;  // 0: nothing cached
  std::uint32_t flags = 0, perm = 0;
  std::uint32_t queue_limit = 0;  // queue numbers below it may be sent to
  std::uint32_t write_queues = 0;
  std::uint32_t name_bytes = 0;
  char name[127];
};

struct Connection {
  gantry_conn id = 0;  // 0: not in use
  std::uint32_t shard = 0;
  NameServerLink *link = nullptr;  // set on connections that we made to a name server
  std::uint8_t peer_ip[16] = {};
  std::uint32_t peer_ip_bytes = 0;
  std::uint32_t peer_port = 0;
  std::string peer;               // "10.0.0.1:5000"
  gantry_peer from{};             // the same for access control
  std::uint32_t outstanding = 0;  // requests at the broker
  CachedTopic topic;              // of the last send or pull
  // A batch of which the broker took only the first part: its pending slot and how much was taken. The frame comes again.
  std::uint32_t batch_slot = kNoSlot;
  std::uint32_t batch_taken = 0;
};

}  // namespace gantry::remoting
