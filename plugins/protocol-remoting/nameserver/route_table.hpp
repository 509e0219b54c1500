// Which brokers live where and which topics they serve: the name server's heart, without I/O, clock or lock.
//
// Invariant: an address is listed under a broker name exactly as long as it has a live entry; a broker name exists as long as it has an
// address, a cluster as long as it has a broker name, a topic as long as a broker name serves it.
#pragma once

#include <gantry++/result.hpp>
#include <gantry/draft/net.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::remoting::nameserver {

using SharedText = std::shared_ptr<const std::string>;

inline constexpr std::uint32_t kPermWrite = 2, kPermRead = 4;
inline constexpr std::uint32_t kSysFlagUnit = 1, kSysFlagUnitSub = 2;  // of topicSysFlag
inline constexpr std::int64_t kMasterId = 0;

struct DataVersion {  // of a broker's topics
  std::int64_t counter = 0, timestamp_ms = 0, state_version = 0;
  bool operator==(const DataVersion &) const = default;
};

struct QueueData {  // a topic on one broker name
  std::uint32_t read_queues = 0, write_queues = 0, perm = 0, sys_flag = 0;
  bool operator==(const QueueData &) const = default;
};

struct Registration {  // REGISTER_BROKER; names and sizes are checked by whoever makes it
  std::string cluster, broker_name, address, ha_address, zone_name;
  std::int64_t broker_id = 0;
  std::int64_t timeout_ms = 0;
  std::optional<bool> acting_master;  // said only by 5.x brokers
  gantry_conn conn = 0;
  DataVersion version;
  std::vector<std::pair<std::string, QueueData>> topics;
  std::vector<std::string> filter_servers;
};

struct RegisterOutcome {
  bool new_address = false;               // it was not known before
  std::string displaced_address;          // had the same name and id until now
  std::string left_cluster;               // the broker name was in this one until now
  std::string master_address, master_ha;  // for slaves of a live master; otherwise empty
};

class RouteTable {
 public:
  // ---- brokers. now_ms: any clock that only goes forward.
  // LIMIT: nothing was changed.
  [[nodiscard]] Result<RegisterOutcome> register_broker(const Registration &registration, std::int64_t now_ms);
  // False: not registered so.
  bool unregister_broker(std::string_view name, std::string_view address);
  // Removes what was last registered over that connection, or has been silent for its timeout; returns a line about each for the log.
  std::vector<std::string> conn_closed(gantry_conn conn);
  std::vector<std::string> expire(std::int64_t now_ms);
  // A sign of life. False: not registered.
  bool refresh(std::string_view address, std::int64_t now_ms);
  // What the broker said last, NULL when it is not registered. Valid until the next change.
  [[nodiscard]] const DataVersion *version_of(std::string_view address) const;

  // ---- topics
  // Takes or gives the write permission of all topics on a broker name; returns their number. Giving sets read and write and clears
  // other bits, as in RocketMQ.
  std::uint32_t wipe_write_perm(std::string_view broker_name);
  std::uint32_t add_write_perm(std::string_view broker_name);
  // Forgets the topic, on the brokers of one cluster unless that is empty.
  void delete_topic(std::string_view topic, std::string_view cluster);
  // After a change of ordered-topic settings.
  void forget_rendered_routes() { ++brokers_changes_; }

  // ---- JSON bodies; integer keys are quoted, there is no whitespace
  // TopicRouteData; NULL when nobody serves the topic. order_conf "" = none. Kept until something it shows changes.
  [[nodiscard]] SharedText route_json(std::string_view topic, std::string_view order_conf);
  [[nodiscard]] SharedText topic_list_json();
  [[nodiscard]] std::string cluster_info_json() const;
  [[nodiscard]] std::string cluster_topics_json(std::string_view cluster) const;
  [[nodiscard]] std::string system_topics_json() const;  // cluster and broker names, and some broker's address
  // TopicList of the topics whose sys flag, on their first broker, passes.
  [[nodiscard]] std::string topics_by_flag_json(const std::function<bool(std::uint32_t sys_flag)> &wanted) const;
  [[nodiscard]] std::string member_group_json(std::string_view cluster, std::string_view name) const;

  [[nodiscard]] std::size_t broker_count() const { return live_.size(); }
  [[nodiscard]] std::size_t topic_count() const { return topics_.size(); }

 private:
  struct Broker {
    std::string cluster, zone_name;
    bool acting_master = false;
    std::map<std::int64_t, std::string> addresses;  // by broker id
  };
  struct Topic {
    std::map<std::string, QueueData, std::less<>> queues;  // by broker name
    SharedText rendered;
    std::uint64_t rendered_at = 0;  // brokers_changes_ then
  };
  struct Live {
    std::string broker_name, ha_address;
    std::int64_t broker_id = 0;
    std::int64_t last_seen_ms = 0, timeout_ms = 0;
    gantry_conn conn = 0;
    DataVersion version;
    std::vector<std::string> filter_servers;
  };
  using LiveTable = std::map<std::string, Live, std::less<>>;  // by address
  using Topics = std::map<std::string, Topic, std::less<>>;

  [[nodiscard]] Result<void> check_room(const Registration &registration) const;
  [[nodiscard]] std::string place_broker(const Registration &registration, RegisterOutcome &outcome);
  void take_topics(const Registration &registration, bool without_write);
  void drop_live(LiveTable::iterator at);
  void drop_broker_name(const std::string &name);
  std::uint32_t change_perms(std::string_view broker_name, const std::function<std::uint32_t(std::uint32_t)> &change);
  void set_queues(Topic &topic, const std::string &broker_name, const QueueData &queues);
  Topics::iterator drop_queues(Topics::iterator topic, std::string_view broker_name);
  [[nodiscard]] SharedText render_route(const Topic &topic, std::string_view order_conf) const;

  std::map<std::string, Broker, std::less<>> brokers_;
  std::map<std::string, std::set<std::string>, std::less<>> clusters_;
  LiveTable live_;
  Topics topics_;
  std::size_t queue_datas_ = 0;
  std::uint64_t brokers_changes_ = 0;  // of anything routes show besides queue data
  SharedText topic_list_;
};

}  // namespace gantry::remoting::nameserver
