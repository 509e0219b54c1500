// Load of sends: closed loop (a reply brings the next message) or open loop (messages come when they are due).
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "loadgen/engine.hpp"
#include "loadgen/spread.hpp"

namespace gantry::bench {

/// Prepared SEND_MESSAGE_V2 frames, one per queue, or one per topic when there are many; opaque, born time, unique key and there the queue are patched per
/// message.
class SendFrames {
 public:
  explicit SendFrames(const Options &options);
  /// Queues the next message on a connection; queues take turns.
  void issue(Engine &engine, unsigned connection, std::uint64_t start_ns);
  /// Refreshes the born time that following messages carry.
  void set_born_time(std::uint64_t born_ms);
  [[nodiscard]] std::uint64_t issued() const { return issued_; }

 private:
  static constexpr std::size_t kQueueDigits = 4;

  struct Prepared {
    std::string head;  ///< prefix and header
    std::size_t opaque_at;
    std::size_t born_at;
    std::size_t key_count_at;
    std::size_t queue_at;  ///< of kQueueDigits digits; 0: the queue is not patched
  };
  [[nodiscard]] static Prepared prepare(const Options &options, const std::string &queue, const std::string &run, unsigned number, const std::string &body);

  const unsigned queues_;
  std::optional<Spread> spread_;    ///< many topics, or Zipf's law
  std::vector<Prepared> prepared_;  ///< queue by queue, then the next message of each, as far as their properties differ; with spread_: topic by topic
  std::string body_;
  std::string born_text_;
  std::uint64_t issued_ = 0;
};

/// Counts what both kinds of send load count.
class SendLoad : public Workload {
 public:
  SendLoad(const Options &options, Tally &tally) : options_(options), tally_(tally), frames_(options) {}
  [[nodiscard]] bool is_exhausted() const override {
    return options_.count != 0 && frames_.issued() >= options_.count;
  }

 protected:
  void judge(const Reply &reply);

  const Options &options_;
  Tally &tally_;
  SendFrames frames_;
};

/// `depth` requests are always open on each connection.
class ClosedSendLoad final : public SendLoad {
 public:
  using SendLoad::SendLoad;
  void begin(Engine &engine, std::uint64_t now_ns) override;
  void on_reply(Engine &engine, const Reply &reply) override;
  void on_tick(Engine &engine, std::uint64_t now_ns) override;
};

/// Poisson arrivals at `rate`; latency counts from the time a message was due, so waiting in the generator
/// counts too. Sleeps on a timer between arrivals.
class OpenSendLoad final : public SendLoad {
 public:
  OpenSendLoad(const Options &options, Tally &tally);
  void begin(Engine &engine, std::uint64_t now_ns) override;
  void on_reply(Engine &, const Reply &reply) override { judge(reply); }
  void on_tick(Engine &engine, std::uint64_t now_ns) override;
  [[nodiscard]] int wake_fd() const override { return timer_.get(); }
  /// Counts arrivals that were due before the end and never went out.
  void count_unsent(const Engine &engine);

 private:
  void plan_next();
  void arm(const Engine &engine);

  Fd timer_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_s_;
  std::uint64_t next_due_ns_ = 0;
  std::uint64_t armed_ns_ = 0;
  unsigned turn_ = 0;
};

}  // namespace gantry::bench
