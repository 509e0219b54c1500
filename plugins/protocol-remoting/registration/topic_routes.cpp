#include "registration/topic_routes.hpp"

#include "codec/codes.hpp"
#include "json/document.hpp"

#include <gantry++/result.hpp>

#include <algorithm>
#include <utility>

namespace gantry::remoting {

namespace {

constexpr std::int32_t kMaxQueues = 1 << 16;  // of a topic on one broker; more is damage

}  // namespace

struct TopicRoutes::Question {
  TopicRoutes *routes;
  std::string topic;
};

struct TopicRoutes::Answer {
  Done done;
  TopicRoute route;
};

TopicRoutes::TopicRoutes(const gantry_host *host, std::uint32_t registrar_shard, Ask ask)
    : host_(host),
      exec_(static_cast<const gantry_exec_v1 *>(host->query(host, GANTRY_EXEC_ID))),
      clock_(static_cast<const gantry_clock_v1 *>(host->query(host, GANTRY_CLOCK_ID))),
      registrar_shard_(registrar_shard),
      ask_(std::move(ask)) {
  GANTRY_ASSERT(exec_ != nullptr && clock_ != nullptr);
}

std::int64_t TopicRoutes::now_ms() const { return clock_->now_ns(host_) / 1'000'000; }

bool TopicRoutes::find(const std::string &topic, Done done) {
  const std::int64_t now = now_ms();
  TopicRoute fresh;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return true;
    const auto known = known_.find(topic);
    if (known != known_.end() && now - known->second.asked_ms < kFreshMs) {
      fresh = known->second.route;
    } else {
      if (waiters_ == kMaxWaiting) return false;
      std::vector<Waiter> &waiters = waiting_[topic];
      first = waiters.empty();
      waiters.push_back({exec_->this_shard(host_), std::move(done)});
      ++waiters_;
    }
  }
  if (fresh != nullptr) {
    done(fresh);
    return true;
  }
  if (!first) return true;
  if (exec_->this_shard(host_) == registrar_shard_) {
    ask(topic);
    return true;
  }
  auto question = std::make_unique<Question>(Question{this, topic});
  const gantry_task_fn run = [](void *arg) noexcept {
    const std::unique_ptr<Question> mine(static_cast<Question *>(arg));
    mine->routes->ask(mine->topic);
  };
  if (exec_->post(host_, registrar_shard_, run, question.get()) == GANTRY_OK) (void)question.release();  // refused: the process stops
  return true;
}

void TopicRoutes::ask(const std::string &topic) {
  if (!ask_(topic)) failed(topic);
}

void TopicRoutes::answered(const std::string &topic, std::int32_t code, std::string_view body) {
  // A topic that no broker has registered yet is nowhere else.
  if (code == kTopicNotExist) return finish(topic, std::make_shared<std::vector<BrokerQueues>>());
  finish(topic, code == kSuccess ? parse_topic_route(body) : nullptr);
}

void TopicRoutes::failed(const std::string &topic) { finish(topic, nullptr); }

void TopicRoutes::finish(const std::string &topic, const TopicRoute &fresh) {
  std::vector<Waiter> waiters;
  TopicRoute route = fresh;
  {
    const std::lock_guard lock(mutex_);
    const auto it = waiting_.find(topic);
    if (it == waiting_.end()) return;
    waiters = std::move(it->second);
    waiting_.erase(it);
    waiters_ -= waiters.size();
    if (fresh != nullptr) {
      if (known_.size() >= kMaxTopics) known_.clear();
      known_[topic] = {fresh, now_ms()};
    } else if (const auto known = known_.find(topic); known != known_.end()) {
      route = known->second.route;
      known->second.asked_ms = now_ms();  // not again for each of them while no name server answers
    }
  }
  for (Waiter &waiter : waiters) {
    if (waiter.shard == registrar_shard_) {
      waiter.done(route);
      continue;
    }
    auto answer = std::make_unique<Answer>(Answer{std::move(waiter.done), route});
    const gantry_task_fn run = [](void *arg) noexcept {
      const std::unique_ptr<Answer> mine(static_cast<Answer *>(arg));
      mine->done(mine->route);
    };
    if (exec_->post(host_, waiter.shard, run, answer.get()) == GANTRY_OK) (void)answer.release();
  }
}

void TopicRoutes::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  waiting_.clear();
  waiters_ = 0;
}

TopicRoute parse_topic_route(std::string_view body) {
  json::Document document;
  if (!document.parse(body) || !document.root().is_object()) return nullptr;
  auto route = std::make_shared<std::vector<BrokerQueues>>();
  const json::Value *queues = document.root().find("queueDatas");
  if (queues == nullptr || !queues->is_array()) return nullptr;
  for (const json::Value &each : *queues) {
    const std::int32_t read_queues = each.int32_or("readQueueNums", 0);
    const std::string_view broker = each.text_or("brokerName", "");
    if (broker.empty() || read_queues < 0 || read_queues > kMaxQueues) return nullptr;
    if ((each.int32_or("perm", 0) & GANTRY_PERM_READ) != 0) route->push_back({std::string(broker), static_cast<std::uint32_t>(read_queues)});
  }
  return route;
}

}  // namespace gantry::remoting
