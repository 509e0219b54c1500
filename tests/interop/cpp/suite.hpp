// Runs cases side by side and prints one line for each; what a case works with.
#pragma once

#include "rocketmq_c.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace interop {

// A promise was not kept; the text says which and what was seen instead.
struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The library lacks what the case needs; the text says what.
struct Missing : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void check(bool holds, const std::string &what);
template <class A, class B>
void same(const A &expected, const B &actual, const std::string &what) {
  if constexpr (std::is_arithmetic_v<B>) check(expected == actual, what + ": expected " + std::to_string(expected) + ", got " + std::to_string(actual));
  else check(expected == actual, what + ": expected " + std::string(expected).substr(0, 200) + ", got " + std::string(actual).substr(0, 200));
}

// Polls until `holds`. INTEROP_PATIENCE (default 2) multiplies all deadlines.
void await(const std::function<std::string()> &what, int deadline_s, const std::function<bool()> &holds);

struct Received {
  std::string topic, body, tags, keys, id, property;  // property: that named in the inbox
  int queue = 0, reconsume_times = 0, delay_level = 0, store_bytes = 0;
  long long offset = 0, born_ms = 0, store_ms = 0, at_ms = 0;
};

// What a consumer got. Thread-safe.
class Inbox {
 public:
  explicit Inbox(std::string property = {}) : property_(std::move(property)) {}
  // Decides the answer for a message; by default it is consumed.
  std::function<int(const Received &)> answer;

  int take(CMessageExt *);
  [[nodiscard]] std::vector<Received> all() const;
  [[nodiscard]] std::vector<std::string> bodies() const;  // sorted
  void await_count(std::size_t n, int deadline_s) const;
  // Exactly these bodies, each once.
  void await_exactly(std::vector<std::string> bodies, int deadline_s) const;

 private:
  std::string property_;
  mutable std::mutex lock_;
  std::vector<Received> messages_;
};

[[nodiscard]] Received received(CMessageExt *, const std::string &property = {});

struct Message {
  std::string body = {}, tags = {}, keys = {};
  std::map<std::string, std::string> properties = {};
  int delay_level = 0;
};

class Env {
 public:
  explicit Env(std::string name) : name_(std::move(name)) {}
  ~Env();

  [[nodiscard]] std::string topic(const std::string &part = {}) const;
  [[nodiscard]] std::string group(const std::string &part) const;

  // Alive until the case's consumers are shut down; what its answer refers to must be, too.
  Inbox &inbox(const std::string &property = {}) { return inboxes_.emplace_back(property); }
  // Started; they end with the case.
  CProducer *producer(const std::string &part = "p");
  CProducer *start(CProducer *producer) { return start(producer, new_instance()); }
  // Clients of one instance share their connections and what they know of brokers.
  CProducer *start(CProducer *, const std::string &instance);
  [[nodiscard]] std::string new_instance() { return group("i" + std::to_string(made_++)); }
  struct Push {
    const char *expression = "*";
    bool orderly = false, broadcasting = false;
    int threads = 2;
  };
  CPushConsumer *push(const std::string &group, const std::string &topic, Inbox &, Push how);
  CPushConsumer *push(const std::string &group, const std::string &topic, Inbox &inbox) { return push(group, topic, inbox, Push{}); }
  void stop(CPushConsumer *);
  CPullConsumer *pull(const std::string &group);

  // A message of the library's, to be destroyed with it.
  [[nodiscard]] static CMessage *make(const std::string &topic, const Message &);
  static CSendResult send(CProducer *, const std::string &topic, const Message &);
  // prefix0 .. ; returns the bodies.
  std::vector<std::string> send_many(CProducer *, const std::string &prefix, int n, const std::string &tags = "TagA");

 private:
  std::string name_;
  int made_ = 0;
  std::deque<Inbox> inboxes_;
  std::vector<CProducer *> producers_;
  std::vector<CPushConsumer *> consumers_;
  std::vector<CPullConsumer *> pulls_;
};

struct Case {
  const char *name;
  int deadline_s;
  void (*body)(Env &);
};

std::vector<Case> send_cases();
std::vector<Case> consume_cases();
std::vector<Case> feature_cases();

[[nodiscard]] long long now_ms();

}  // namespace interop
