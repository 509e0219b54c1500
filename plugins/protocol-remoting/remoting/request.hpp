// One request on its way through the handlers of a shard, and what the handlers share.
#pragma once

#include "codec/header.hpp"
#include "registration/topic_routes.hpp"
#include "remoting/connection.hpp"
#include "remoting/output.hpp"
#include "remoting/pending.hpp"
#include "remoting/services.hpp"
#include "remoting/settings.hpp"

#include <atomic>
#include <cstdint>
#include <string_view>

namespace gantry::remoting {

// Older clients send the field maxReconsumeTimes with no meaning (3.4.9 is the first that means it).
inline constexpr std::int32_t kVersionWithRetryLimit = 121;
inline constexpr std::int32_t kVersion5 = 412;  // V5_0_0_SNAPSHOT, the first of 5.x

struct Request {
  Connection &conn;
  const Header &header;
  std::string_view body;
  std::uint32_t begin;  // where its frame begins in the input of this call

  [[nodiscard]] ReplyTo to() const { return ReplyTo{conn.id, header.opaque, header.type, header.is_oneway()}; }
};

// kAgain: the broker takes no more now; the request was not consumed and will be offered again.
enum class [[nodiscard]] Step { kDone, kAgain };

struct ShardContext {
  ShardContext(const Services &s, const Settings &g, const std::atomic<std::uint64_t> &topics)
      : services(s), settings(g), topics_generation(topics), output(s) {}

  const Services &services;
  const Settings &settings;
  const std::atomic<std::uint64_t> &topics_generation;  // grows whenever any topic changed
  Output output;
  PendingTable pendings;
  gantry_cq cq = 0;
  TopicRoutes *routes = nullptr;  // NULL without name servers
  std::string refusal_text;       // of the newest message that a full disk refused
};

// The topic from the connection's cache or from the broker, which fills the cache; NULL when there is none.
[[nodiscard]] const CachedTopic *find_topic(ShardContext &ctx, Connection &conn, std::string_view name);
// Puts what the broker said into the connection's cache. `generation`: of the topics before it was asked.
const CachedTopic *remember_topic(Connection &conn, std::string_view name, const gantry_topic_info &info, std::uint64_t generation);

// A failed completion in RocketMQ's words. The text lives forever.
struct Refusal {
  std::int32_t code;
  std::string_view remark;
};
// A full disk is explained by the store; that text lives until the next call on this shard.
[[nodiscard]] Refusal refusal_of_send(ShardContext &ctx, std::int32_t status, std::uint32_t subject);
[[nodiscard]] Refusal refusal_of_pull(std::int32_t status, std::uint32_t subject);

}  // namespace gantry::remoting
