// broker.h for tests: records what it is asked and answers as the test says, through the real completion queues of the fake host.
#pragma once

#include <gantry/draft/admin.h>
#include <gantry/draft/broker.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace gantry::remoting::test {

class FakeBroker {
 public:
  explicit FakeBroker(const gantry_host *host);
  ~FakeBroker() { current_ = nullptr; }
  FakeBroker(const FakeBroker &) = delete;
  FakeBroker &operator=(const FakeBroker &) = delete;

  struct Topic {
    std::uint32_t flags = 0, perm = 6, read_queues = 4, write_queues = 4;
    std::string attributes;
  };
  struct Produced {  // a gantry_produce with copies of what it borrowed
    gantry_produce req;
    std::string topic, body, props, lead_props;
    gantry_cq cq;
  };
  struct Fetched {
    gantry_fetch req;
    std::string group, topic, expr, expr_type;
    gantry_cq cq;
  };
  struct Subscription {
    std::string topic, type, expr;
    std::int64_t version;
  };
  struct Consumer {
    std::string group;
    std::uint32_t type, model, from;
    std::vector<Subscription> subscriptions;
  };
  struct Heartbeat {
    gantry_conn conn;
    std::string client_id, peer;
    std::uint32_t language;
    std::int32_t version;
    std::vector<std::string> producers;
    std::vector<Consumer> consumers;
  };
  struct Commit {
    std::string group, topic;
    std::uint32_t queue_no;
    std::int64_t offset;
  };
  struct Asked {  // seek_time and message_at
    std::uint64_t user_data;
    gantry_cq cq;
    std::int64_t value;  // time or position
  };

  struct GivenBack {
    gantry_send_back req;
    gantry_cq cq;
  };

  struct Recalled {
    gantry_recall req;
    std::string topic, key;
    gantry_cq cq;
  };

  struct Ended {
    gantry_end_transaction req;
    std::string group;
    gantry_cq cq;
  };

  // ---- what the test sets
  std::map<std::string, Topic> topics;
  std::map<std::string, std::map<std::uint32_t, gantry_queue_stat>> stats;
  std::map<std::string, std::vector<std::string>> members;  // of groups
  std::uint32_t perm = 6, max_message_bytes = 1 << 20, default_durability = GANTRY_DURABILITY_DURABLE;
  bool auto_create_topics = true, auto_create_groups = true;
  std::uint32_t produce_credit = UINT32_MAX, fetch_credit = UINT32_MAX;
  std::int32_t produce_refusal = 0, fetch_refusal = 0, heartbeat_status = 0, upsert_status = 0, filter_status = 0;
  std::map<std::string, std::int64_t> offsets;  // "group@topic@queue"; absent: NOT_FOUND
  struct Member {  // of a consumer or producer group
    gantry_conn conn;
    std::string client_id;
    std::uint32_t shard = 0, language = 0;
  };
  std::map<std::string, std::vector<Member>> consumer_groups, producer_groups;
  std::map<std::string, std::vector<Subscription>> subscriptions;  // of consumer groups
  std::vector<Commit> committed;                                   // what offset_list tells
  std::map<std::string, std::string> locks;     // "group@topic@queue" -> client
  struct Entry {  // of a queue, by queue offset
    std::int64_t phys_pos, tag, store_ms;
    std::string bytes;
  };
  std::map<std::string, std::map<std::int64_t, Entry>> entries;  // "topic@queue"
  std::map<std::string, gantry_group_settings> groups;           // names point to the keys
  std::map<std::string, gantry_stat> counted;                    // "topic", "topic@group", "" of the broker
  std::int32_t admin_refusal = 0, admin_status = 0;              // inline, and of the completion
  gantry_broker_runtime runtime{};
  std::string refusal;  // why the disk is full
  // ---- what it was asked
  std::vector<Produced> produced;
  std::vector<Fetched> fetched;
  std::vector<GivenBack> given_back;
  std::vector<Recalled> recalled;
  std::vector<Ended> ended;
  std::uint32_t produce_calls = 0, fetch_calls = 0, topic_finds = 0;
  std::vector<Heartbeat> heartbeats;
  std::vector<std::string> checked_filters;  // "type: expression"
  std::vector<Commit> commits;
  std::vector<std::string> unregistered;  // "client/producer/consumer"
  std::vector<gantry_conn> closed;
  std::vector<Asked> seeks, views, commits_waited_for;
  struct Query {
    std::string topic, key;
    gantry_message_query req;
    gantry_cq cq;
  };
  std::vector<Query> queries;
  std::int32_t query_refusal = 0;
  std::vector<gantry_topic_info> upserts;
  std::vector<std::string> attribute_changes;  // of the upserts
  std::vector<std::string> topics_deleted, groups_deleted;  // groups: "name/drop_offsets"
  std::uint32_t queue_reads = 0, settles = 0;
  std::string store_host;

  // Completes requests; they arrive at the next turn of the host.
  void complete_produce(std::size_t i, std::int64_t queue_offset, std::int64_t position, std::uint32_t queue_no);
  void fail_produce(std::size_t i, std::int32_t status, std::uint32_t subject);
  void complete_fetch(std::size_t i, std::uint32_t outcome, const std::vector<std::string> &records, std::int64_t next, std::int64_t min,
                      std::int64_t max, bool adjacent = false);
  void fail_fetch(std::size_t i, std::int32_t status, std::uint32_t subject);
  void complete(const Asked &asked, std::int32_t status, std::int64_t result);
  void complete(const GivenBack &given, std::int32_t status, std::uint32_t subject);
  void complete_recall(std::size_t i, std::int32_t status);
  void complete_end(std::size_t i, std::int32_t status, std::uint32_t subject = 0);
  void complete_query(std::size_t i, const std::vector<std::string> &records);
  void complete_view(const Asked &asked, const std::string &record);
  [[nodiscard]] int results_alive() const { return results_alive_; }

  [[nodiscard]] gantry_group group_handle(const std::string &name);
  [[nodiscard]] static const gantry_broker_v1 *broker_table();
  [[nodiscard]] static const gantry_session_v1 *session_table();
  // Its requests complete by themselves, at the next turn.
  [[nodiscard]] static const gantry_admin_v1 *admin_table();

 private:
  friend struct FakeBrokerTables;
  friend struct FakeAdminTable;
  void push(gantry_cq cq, const gantry_cqe &cqe);
  [[nodiscard]] std::uint64_t make_result(std::uint32_t outcome, const std::vector<std::string> &records, std::int64_t next, std::int64_t min,
                                          std::int64_t max, bool adjacent, const std::vector<gantry_record> &about = {});
  bool describe(const std::string &name, gantry_topic_info *out);
  [[nodiscard]] std::string name_of(gantry_topic topic) const { return topic_names_.at(topic - 1); }

  static FakeBroker *current_;
  const gantry_host *host_;
  const gantry_cq_v1 *cq_;
  std::deque<std::string> topic_names_, group_names_;  // handle = index + 1
  int results_alive_ = 0;
};

}  // namespace gantry::remoting::test
