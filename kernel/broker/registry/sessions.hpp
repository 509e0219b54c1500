// Who is connected: producers and consumers by connection, members and subscriptions by group.
#pragma once

#include "kernel/broker/filter/filters.hpp"
#include "kernel/broker/record/tags.hpp"

#include <gantry/draft/broker.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::broker {

// A client silent for longer is dropped: RocketMQ's limit.
inline constexpr std::int64_t kClientTimeoutMs = 120'000;

struct Subscription {
  std::string expression, type;
  std::int64_t version = 0;
  std::shared_ptr<const TagSet> tags;  // of a tag expression
  CompiledFilter filter;               // of any other
};

struct Member {
  std::string client_id;
  std::int64_t seen_ms = 0;
  std::string peer;
  std::uint32_t shard = 0;  // the connection's
  std::uint32_t language = 0;
  std::int32_t version = 0;
};

struct ConsumerGroup {
  std::map<gantry_conn, Member> members;
  std::map<std::string, Subscription, std::less<>> subscriptions;  // by topic
  std::uint32_t model = GANTRY_MODEL_CLUSTERING;
  std::uint32_t consume_type = GANTRY_CONSUME_PASSIVELY;
  std::uint32_t consume_from = 0;
};

// Guarded by the broker's mutex. Functions that change a group's membership or topics append (connection, group name) pairs of those to tell.
class Sessions {
 public:
  struct Notice {
    gantry_conn conn;
    std::string group;
  };

  // The heartbeat's expressions were checked and compiled by the caller: `filters` has one for each subscription of each consumer, in their order.
  // `shard`: the connection's; `now_ms`: wall clock.
  void heartbeat(const gantry_heartbeat &hb, const std::vector<CompiledFilter> &filters, std::uint32_t shard, std::int64_t now_ms, std::vector<Notice> &notices);
  void unregister(gantry_conn conn, std::string_view producer_group, std::string_view consumer_group, std::vector<Notice> &notices);
  void conn_closed(gantry_conn conn, std::vector<Notice> &notices);
  // Drops clients not seen since now_ms - kClientTimeoutMs.
  void expire(std::int64_t now_ms, std::vector<Notice> &notices);

  [[nodiscard]] const ConsumerGroup *group(std::string_view name) const {
    const auto it = groups_.find(name);
    return it == groups_.end() ? nullptr : &it->second;
  }
  using Producers = std::map<std::string, std::map<gantry_conn, Member>, std::less<>>;
  [[nodiscard]] const std::map<std::string, ConsumerGroup, std::less<>> &groups() const { return groups_; }
  [[nodiscard]] const Producers &producers() const { return producers_; }
  [[nodiscard]] std::size_t group_count() const { return groups_.size(); }

 private:
  void consumer(gantry_conn conn, const gantry_consumer &c, const CompiledFilter *filters, const Member &member, std::vector<Notice> &notices);
  bool merge_subscriptions(ConsumerGroup &group, const gantry_consumer &c, const CompiledFilter *filters);
  void leave(std::string_view group_name, gantry_conn conn, std::vector<Notice> &notices);
  static void tell_all(const ConsumerGroup &group, std::string_view name, std::vector<Notice> &notices);

  std::map<std::string, ConsumerGroup, std::less<>> groups_;  // only those with members
  Producers producers_;
  // So that a closing connection costs what it registered, not a walk over everybody's groups.
  struct GroupsOfConn {
    std::vector<std::string> consumers, producers;
  };
  void leave_producers(std::string_view group_name, gantry_conn conn);
  std::unordered_map<gantry_conn, GroupsOfConn> groups_of_conn_;
};

}  // namespace gantry::broker
