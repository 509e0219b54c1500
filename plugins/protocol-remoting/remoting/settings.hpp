// What all shards of one remoting instance share, fixed from start to stop.
#pragma once

#include "codec/reply_templates.hpp"

#include <gantry++/result.hpp>
#include <gantry/draft/broker.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::remoting {

struct StoreHost {
  std::uint8_t ip[16] = {};  // network order
  std::uint32_t ip_bytes = 4;
  std::uint32_t port = 0;
};

// "10.0.0.1:10911", "[::1]:10911" or "host.name:10911", which is looked up. E_CONFIG says what is wrong with the text.
// [thread: control] [blocking: may]
[[nodiscard]] Result<StoreHost> resolve_advertised(std::string_view address);

// What to advertise when the configuration does not say: the listen address, and for one that means all addresses the first address of this
// machine that is not loopback (IPv4 before IPv6). [thread: control] [blocking: never]
[[nodiscard]] std::string advertised_for(std::string_view listen);

// "10.0.0.1:10911", "[::1]:10911".
[[nodiscard]] std::string host_text(const StoreHost &host);

struct Settings {
  Settings(const StoreHost &store_host, std::string_view region, bool trace_on, bool mark_older, const gantry_broker_info &info)
      : replies(store_host.ip, store_host.ip_bytes, store_host.port, region, trace_on),
        trace_marks("MSG_REGION\x01" + std::string(region) + "\x02TRACE_ON\x01" + std::string(replies.trace_on()) + '\x02'),
        mark_all(mark_older),
        store_address(host_text(store_host)),
        broker_name(info.name.p, info.name.n),
        max_message_bytes(info.max_message_bytes),
        readable((info.perm & GANTRY_PERM_READ) != 0),
        writable((info.perm & GANTRY_PERM_WRITE) != 0),
        // A sender that does not wait for its message to be flushed (property WAIT) gets what leaves the process.
        impatient_durability(info.default_durability > GANTRY_DURABILITY_WRITTEN ? GANTRY_DURABILITY_WRITTEN
                                                                                 : GANTRY_DURABILITY_DEFAULT) {}

  SendReplyTemplate replies;
  // Properties of a message without which a 5.x consumer leaves no trace of it. Clients before 5.0 do not know them from their brokers.
  std::string trace_marks;
  bool mark_all;  // messages of older clients too
  std::string store_address; // as host_text
  std::string broker_name;
  std::uint32_t max_message_bytes;
  bool readable, writable;  // permission of the broker
  std::uint32_t impatient_durability;
};

}  // namespace gantry::remoting
