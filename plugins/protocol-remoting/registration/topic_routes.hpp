// What other brokers have of a topic, as the name servers tell it. Asked when somebody wants to know, remembered for a while.
//
// A route is asked for on the registrar's shard, over the connection that registers this broker; one question per topic is under way at a time. Without an
// answer in time what was known before counts; without that the answer is "unknown".
#pragma once

#include <gantry/draft/broker.h>
#include <gantry/draft/host.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::remoting {

struct BrokerQueues {
  std::string broker;
  std::uint32_t read_queues = 0;

  bool operator==(const BrokerQueues &) const = default;
};
using TopicRoute = std::shared_ptr<const std::vector<BrokerQueues>>;

class TopicRoutes {
 public:
  static constexpr std::int64_t kFreshMs = 10'000;          // younger ones are not asked for again
  static constexpr std::int64_t kAnswerTimeoutMs = 3'000;
  static constexpr std::size_t kMaxWaiting = 16'384;        // who waits, over all topics
  static constexpr std::size_t kMaxTopics = 16'384;         // remembered; then all are forgotten

  // Null: not known, and no name server answered in time.
  using Done = std::function<void(const TopicRoute &)>;
  // Asks the name servers; false: none is connected. The answer comes to answered(). [thread: the registrar's shard]
  using Ask = std::function<bool(const std::string &topic)>;

  TopicRoutes(const gantry_host *host, std::uint32_t registrar_shard, Ask ask);
  TopicRoutes(const TopicRoutes &) = delete;
  TopicRoutes &operator=(const TopicRoutes &) = delete;

  // `done` runs once on the calling shard, perhaps before this returns; not at all when the process stops first. False: too many wait. [thread: any shard]
  [[nodiscard]] bool find(const std::string &topic, Done done);

  // All on the registrar's shard.
  // Code and body of GET_ROUTEINFO_BY_TOPIC's answer.
  void answered(const std::string &topic, std::int32_t code, std::string_view body);
  // No answer will come.
  void failed(const std::string &topic);
  void stop();

 private:
  struct Waiter {
    std::uint32_t shard = 0;
    Done done;
  };
  struct Known {
    TopicRoute route;
    std::int64_t asked_ms = 0;
  };
  struct Question;  // a topic on its way to the registrar's shard
  struct Answer;    // a waiter on its way back
  void ask(const std::string &topic);
  void finish(const std::string &topic, const TopicRoute &fresh);
  [[nodiscard]] std::int64_t now_ms() const;

  const gantry_host *const host_;
  const gantry_exec_v1 *const exec_;
  const gantry_clock_v1 *const clock_;
  const std::uint32_t registrar_shard_;
  const Ask ask_;
  std::mutex mutex_;  // leaf; guards what follows
  std::unordered_map<std::string, Known> known_;
  std::unordered_map<std::string, std::vector<Waiter>> waiting_;  // asked for
  std::size_t waiters_ = 0;
  bool stopped_ = false;
};

// The readable queues of TopicRouteData, or null when the body is damaged.
[[nodiscard]] TopicRoute parse_topic_route(std::string_view body);

}  // namespace gantry::remoting
