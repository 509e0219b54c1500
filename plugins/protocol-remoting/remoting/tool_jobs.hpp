// Requests of tools that ask the store about many queues, or write many offsets, before they can be answered: 45, 202, 208, 303, 314, 317,
// 321.
#pragma once

#include "remoting/request.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::remoting {

class ToolJobs {
 public:
  explicit ToolJobs(ShardContext &ctx) : ctx_(ctx) {}

  // False: not one of these requests; nothing was answered.
  [[nodiscard]] bool handle(const Request &request);
  void complete(const gantry_cqe &cqe);

 private:
  struct Step {
    gantry_topic topic = 0;
    std::uint32_t queue_no = 0;
    std::int64_t offset = -1;  // of the message to look at, or to commit; < 0: nothing to do
    gantry_group group = 0;    // not 0: commit
    std::int64_t store_ms = 0; // out; 0: no such message
    std::int64_t tag = 0;      // out: of the message
  };
  struct Job {
    Connection *conn = nullptr;
    ReplyTo to;
    std::vector<Step> steps;
    std::size_t next = 0, open = 0;
    bool failed = false;
    std::function<void(ShardContext &, const Job &)> answer;
    std::function<void(const gantry_fetch_result &)> take;  // set: reads whole records, this many
    std::uint32_t max_records = 1;
  };
  using Shared = std::shared_ptr<Job>;
  struct Part {
    Shared job;
    std::size_t step;
  };
  // What a group has committed in a topic, with places for what the store says about it.
  struct Progress {
    struct Queue {
      std::uint32_t number = 0;
      std::int64_t begin = 0, end = 0, committed = -1;
      std::size_t step = 0;  // of the message before the committed offset
    };
    std::string topic;
    double per_s = 0;
    std::vector<Queue> queues;
  };

  void topic_stats(const Request &request);
  void consume_stats(const Request &request);
  void consume_time_span(const Request &request);
  void broker_consume_stats(const Request &request);
  void clone_offsets(const Request &request);
  void delay_offsets(const Request &request);
  void queue_entries(const Request &request);
  [[nodiscard]] std::vector<Progress> progress_of(std::string_view group, std::string_view only, Job &job);
  [[nodiscard]] bool in_view(std::string_view group, std::string_view topic) const;
  [[nodiscard]] Shared make(const Request &request) const;
  void run(const Shared &job);
  [[nodiscard]] bool start_step(const Shared &job, std::size_t i);

  ShardContext &ctx_;
  std::unordered_map<std::uint32_t, Part> parts_;  // by pending slot
};

}  // namespace gantry::remoting
