#include "remoting/tool_jobs.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"
#include "remoting/queue_json.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

constexpr std::string_view kScheduleOpTopic = "RMQ_SYS_SCHEDULE_OP_TOPIC";
constexpr std::size_t kAtOnce = 64;                   // of one job at the broker
constexpr std::uint32_t kEntriesMax = 1024;           // of one QUERY_CONSUME_QUEUE
constexpr std::uint32_t kEntriesBytesMax = 4u << 20;  // of the messages behind them

}  // namespace

ToolJobs::Shared ToolJobs::make(const Request &request) const {
  auto job = std::make_shared<Job>();
  job->conn = &request.conn;
  job->to = request.to();
  return job;
}

// False: nothing was begun.
bool ToolJobs::start_step(const Shared &job, std::size_t i) {
  const Step &step = job->steps[i];
  const Services &s = ctx_.services;
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kToolJob, *job->conn, job->to);
  job->failed = job->failed || slot == kNoSlot;
  if (slot == kNoSlot) return false;
  std::int32_t status = GANTRY_OK;
  if (step.group != 0) {
    status = s.broker->offset_commit(s.host, step.group, step.topic, step.queue_no, step.offset, slot, ctx_.cq);
    job->failed = job->failed || status < 0;
  } else {
    const bool whole = job->take != nullptr;
    const gantry_queue_read read{slot, step.topic, step.offset, step.queue_no, job->max_records, whole ? kEntriesBytesMax : 1, whole ? 0 : GANTRY_READ_INDEX_ONLY};
    status = s.admin->queue_read(s.host, &read, ctx_.cq);
  }
  if (status < 0) {
    ctx_.pendings.give_back(slot);
    return false;
  }
  parts_.emplace(slot, Part{job, i});
  ++job->open;
  return true;
}

void ToolJobs::run(const Shared &job) {
  if (job->conn->id != job->to.conn) return;  // the tool is gone
  while (job->next < job->steps.size() && job->open < kAtOnce && !job->failed) {
    const std::size_t i = job->next++;
    if (job->steps[i].offset >= 0) (void)start_step(job, i);
  }
  if (job->open != 0) return;
  if (job->failed) return ctx_.output.reply(job->to, kSystemError, "the broker's store did not find or keep everything that was asked for");
  job->answer(ctx_, *job);
}

void ToolJobs::complete(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  ctx_.pendings.give_back(slot);
  auto node = parts_.extract(slot);
  GANTRY_ASSERT(!node.empty());
  const Shared job = std::move(node.mapped().job);
  Step &step = job->steps[node.mapped().step];
  --job->open;
  if (step.group != 0) {
    job->failed = job->failed || cqe.status != GANTRY_OK;
  } else if (cqe.status == GANTRY_OK) {
    const auto &result = *reinterpret_cast<const gantry_fetch_result *>(cqe.aux);
    // What was looked for may have been dropped meanwhile; the next one is another message.
    if (result.n != 0 && result.records[0].queue_off == step.offset) {
      step.store_ms = result.records[0].store_ms;
      step.tag = result.records[0].tag;
    }
    if (job->take) job->take(result);
    if (result.owner != nullptr) result.owner->release(result.owner);
  }
  run(job);
}

void ToolJobs::topic_stats(const Request &request) {
  const std::string name(request.header.text("topic"));
  gantry_topic_info info{};
  if (!find_topic_info(ctx_, name, info)) return refuse_topic(ctx_, request, name);
  const Shared job = make(request);
  auto stats = std::make_shared<std::vector<gantry_queue_stat>>();
  for (std::uint32_t i = 0; i < info.write_queues; ++i) {
    stats->push_back(queue_stat_of(ctx_, info.topic, i));
    job->steps.push_back({info.topic, i, stats->back().max_off > stats->back().min_off ? stats->back().max_off - 1 : -1});
  }
  job->answer = [name, stats](ShardContext &ctx, const Job &done) {
    std::string body;
    json::Writer json(body);
    json.begin_object().key("offsetTable").begin_object();
    for (std::uint32_t i = 0; i < stats->size(); ++i) {
      json.raw_key(queue_key(ctx, name, i)).begin_object().member("lastUpdateTimestamp", done.steps[i].store_ms);
      json.member("maxOffset", (*stats)[i].max_off).member("minOffset", (*stats)[i].min_off).end_object();
    }
    json.end_object().end_object();
    ctx.output.reply(done.to, kSuccess, {}, nullptr, 0, body);
  };
  run(job);
}

// RocketMQ leaves out topics that a connected group does not subscribe to any more.
bool ToolJobs::in_view(std::string_view group, std::string_view topic) const {
  struct Seen {
    std::string_view topic;
    bool any, this_one;
  } seen{topic, false, false};
  const gantry_consumer_fn look = [](void *arg, const gantry_consumer *c) noexcept {
    auto &s = *static_cast<Seen *>(arg);
    for (std::uint32_t i = 0; i < c->n_subscriptions; ++i) {
      s.any = true;
      s.this_one = s.this_one || view(c->subscriptions[i].topic) == s.topic;
    }
  };
  (void)ctx_.services.session->consumer_group(ctx_.services.host, str(group), look, nullptr, &seen);
  return !seen.any || seen.this_one;
}

// Adds a step per queue to the job.
std::vector<ToolJobs::Progress> ToolJobs::progress_of(std::string_view group_name, std::string_view only, Job &job) {
  const Services &s = ctx_.services;
  std::map<std::string, std::map<std::uint32_t, std::int64_t>> topics;
  const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
    (*static_cast<decltype(topics) *>(arg))[std::string(view(row->topic_name))][row->queue_no] = row->offset;
  };
  if (const gantry_group group = group_name.empty() ? 0 : s.broker->group_find(s.host, str(group_name), 0); group != 0) s.broker->offset_list(s.host, group, 0, add, &topics);
  if (!only.empty()) std::erase_if(topics, [only](const auto &entry) { return entry.first != only; });
  if (!only.empty() && topics.empty()) topics[std::string(only)];
  std::vector<Progress> out;
  for (const auto &[topic, queues] : topics) {
    gantry_topic_info info{};
    if (!find_topic_info(ctx_, topic, info) || !in_view(group_name, topic)) continue;
    Progress &progress = out.emplace_back();
    progress.topic = topic;
    gantry_stat stat{};
    stat.size = sizeof stat;
    if (s.admin->stat(s.host, GANTRY_STAT_GROUP_GET, str(topic), str(group_name), &stat) == GANTRY_OK) progress.per_s = per_second(stat.minute);
    for (std::uint32_t i = 0; i < info.read_queues; ++i) {
      const auto committed = queues.find(i);
      const gantry_queue_stat ends = queue_stat_of(ctx_, info.topic, i);
      Progress::Queue &queue = progress.queues.emplace_back(Progress::Queue{i, ends.min_off, ends.max_off, committed == queues.end() ? -1 : committed->second, job.steps.size()});
      const std::int64_t before = queue.committed - 1;
      job.steps.push_back({info.topic, i, before >= ends.min_off && before < ends.max_off ? before : -1});
    }
  }
  return out;
}

void ToolJobs::consume_stats(const Request &request) {
  const Shared job = make(request);
  auto topics = std::make_shared<std::vector<Progress>>(progress_of(request.header.text("consumerGroup"), request.header.text("topic"), *job));
  job->answer = [topics](ShardContext &ctx, const Job &done) {
    std::string body;
    json::Writer json(body);
    double per_s = 0;
    for (const Progress &topic : *topics) per_s += topic.per_s;
    json.begin_object().key("consumeTps").raw(fraction(per_s)).key("offsetTable").begin_object();
    for (const Progress &topic : *topics)
      for (const Progress::Queue &q : topic.queues) put_progress(json, queue_key(ctx, topic.topic, q.number), q.end, q.committed, done.steps[q.step].store_ms);
    json.end_object().end_object();
    ctx.output.reply(done.to, kSuccess, {}, nullptr, 0, body);
  };
  run(job);
}

void ToolJobs::broker_consume_stats(const Request &request) {
  const Shared job = make(request);
  const bool ordered_only = parse_bool(request.header.text("isOrder"));
  std::vector<std::string> groups;
  const gantry_group_fn add = [](void *arg, const gantry_group_settings *group) noexcept { static_cast<std::vector<std::string> *>(arg)->emplace_back(view(group->name)); };
  ctx_.services.admin->group_list(ctx_.services.host, add, &groups);
  auto all = std::make_shared<std::vector<std::pair<std::string, std::vector<Progress>>>>();
  for (const std::string &group : groups) {
    std::vector<Progress> topics = progress_of(group, {}, *job);
    std::erase_if(topics, [&](const Progress &p) {
      gantry_topic_info info{};
      return !find_topic_info(ctx_, p.topic, info) || (ordered_only && (info.flags & GANTRY_TOPIC_ORDER) == 0);
    });
    if (!topics.empty()) all->emplace_back(group, std::move(topics));
  }
  job->answer = [all](ShardContext &ctx, const Job &done) {
    std::string body;
    json::Writer json(body);
    std::int64_t behind = 0;
    json.begin_object().member("brokerAddr", ctx.settings.store_address).key("consumeStatsList").begin_array();
    for (const auto &[group, topics] : *all) {
      json.begin_object().key(group).begin_array();
      for (const Progress &topic : topics) {
        json.begin_object().key("consumeTps").raw(fraction(topic.per_s)).key("offsetTable").begin_object();
        for (const Progress::Queue &q : topic.queues) {
          put_progress(json, queue_key(ctx, topic.topic, q.number), q.end, q.committed, done.steps[q.step].store_ms);
          behind += q.end - std::max<std::int64_t>(q.committed, 0);
        }
        json.end_object().end_object();
      }
      json.end_array().end_object();
    }
    json.end_array().member("totalDiff", behind).end_object();
    ctx.output.reply(done.to, kSuccess, {}, nullptr, 0, body);
  };
  run(job);
}

void ToolJobs::consume_time_span(const Request &request) {
  const std::string name(request.header.text("topic"));
  gantry_topic_info info{};
  if (!find_topic_info(ctx_, name, info)) return refuse_topic(ctx_, request, name);
  const Services &s = ctx_.services;
  const gantry_group group = s.broker->group_find(s.host, str(request.header.text("group")), 0);
  const Shared job = make(request);
  auto oldest = std::make_shared<std::vector<std::int64_t>>();
  const auto place = [&](std::uint32_t queue_no, const gantry_queue_stat &stat, std::int64_t offset) {
    job->steps.push_back({info.topic, queue_no, offset >= stat.min_off && offset < stat.max_off ? offset : -1});
  };
  for (std::uint32_t i = 0; i < info.write_queues; ++i) {
    const gantry_queue_stat stat = queue_stat_of(ctx_, info.topic, i);
    std::int64_t committed = 0;
    if (group == 0 || s.broker->offset_query(s.host, group, info.topic, i, GANTRY_OFFSET_EXACT, &committed) != GANTRY_OK) committed = 0;
    oldest->push_back(stat.first_store_ms);
    place(i, stat, stat.max_off - 1);
    place(i, stat, committed - 1);
    place(i, stat, committed);
  }
  const std::int64_t now_ms = s.now_ms();
  job->answer = [name, oldest, now_ms](ShardContext &ctx, const Job &done) {
    std::string body;
    json::Writer json(body);
    json.begin_object().key("consumeTimeSpanSet").begin_array();
    for (std::uint32_t i = 0; i < oldest->size(); ++i) {
      const std::int64_t newest = done.steps[3 * i].store_ms, consumed = done.steps[3 * i + 1].store_ms, next = done.steps[3 * i + 2].store_ms;
      json.begin_object().member("consumeTimeStamp", consumed != 0 ? consumed : (*oldest)[i]).member("delayTime", next != 0 ? now_ms - next : 0).member("maxTimeStamp", newest);
      json.key("messageQueue").raw(queue_key(ctx, name, i)).member("minTimeStamp", (*oldest)[i]).end_object();
    }
    json.end_array().end_object();
    ctx.output.reply(done.to, kSuccess, {}, nullptr, 0, body);
  };
  run(job);
}

void ToolJobs::clone_offsets(const Request &request) {
  const Services &s = ctx_.services;
  const std::string_view from = request.header.text("srcGroup"), to = request.header.text("destGroup"), only = request.header.text("topic");
  const bool offline = parse_bool(request.header.text("offline"));
  const gantry_group source = s.broker->group_find(s.host, str(from), 0);
  if (source == 0) return ctx_.output.reply(request.to(), kSubscriptionGroupNotExist, "subscription group [" + shown(from) + "] does not exist");
  const gantry_group target = s.broker->group_find(s.host, str(to), 1);
  if (target == 0) return ctx_.output.reply(request.to(), kSubscriptionGroupNotExist, "subscription group [" + shown(to) + "] does not exist and may not be made");
  const Shared job = make(request);
  struct Sink {
    ToolJobs *self;
    std::string_view from, only;
    bool offline;
    gantry_group target;
    std::vector<Step> *steps;
  } sink{this, from, only, offline, target, &job->steps};
  const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
    auto &k = *static_cast<Sink *>(arg);
    const std::string_view topic = view(row->topic_name);
    if (!k.only.empty() ? topic != k.only : !k.offline && !k.self->in_view(k.from, topic)) return;
    k.steps->push_back({row->topic, row->queue_no, row->offset, k.target});
  };
  s.broker->offset_list(s.host, source, 0, add, &sink);
  job->answer = [](ShardContext &ctx, const Job &done) { ctx.output.reply(done.to, kSuccess); };
  run(job);
}

// How far each delay level has been delivered. What was delivered last stands, by its queue offset, as the tag of the newest record of the broker's own topic
// for it.
void ToolJobs::delay_offsets(const Request &request) {
  gantry_topic_info info{};
  if (!find_topic_info(ctx_, kScheduleOpTopic, info)) return refuse_topic(ctx_, request, kScheduleOpTopic);
  const Shared job = make(request);
  for (std::uint32_t i = 0; i < info.read_queues; ++i) {
    const gantry_queue_stat stat = queue_stat_of(ctx_, info.topic, i);
    job->steps.push_back({info.topic, i, stat.max_off > stat.min_off ? stat.max_off - 1 : -1});
  }
  job->answer = [](ShardContext &ctx, const Job &done) {
    std::string body;
    json::Writer json(body);
    json.begin_object().key("offsetTable").begin_object();
    for (std::size_t i = 0; i < done.steps.size(); ++i) json.key(static_cast<std::int64_t>(i + 1)).number(done.steps[i].offset < 0 ? 0 : done.steps[i].tag + 1);
    json.end_object().end_object();
    ctx.output.reply(done.to, kSuccess, {}, nullptr, 0, body);
  };
  run(job);
}

void ToolJobs::queue_entries(const Request &request) {
  const Header &h = request.header;
  const std::string name(h.text("topic")), group(h.text("consumerGroup"));
  gantry_topic_info info{};
  if (!find_topic_info(ctx_, name, info)) return refuse_topic(ctx_, request, name);
  std::int32_t queue_no = 0, count = 0;
  std::int64_t index = 0;
  if (!parse_number(h.text("queueId"), queue_no) || !parse_number(h.text("count"), count) || !parse_number(h.text("index"), index))
    return ctx_.output.reply(request.to(), kSystemError, "consume queue: queueId, index or count is missing or no number");
  if (queue_no < 0 || static_cast<std::uint32_t>(queue_no) >= std::max(info.read_queues, info.write_queues))
    return ctx_.output.reply(request.to(), kSystemError, shown(name) + ", " + std::to_string(queue_no) + " is not exist");
  const auto number = static_cast<std::uint32_t>(queue_no);
  const gantry_queue_stat stat = queue_stat_of(ctx_, info.topic, number);
  const Shared job = make(request);
  job->max_records = static_cast<std::uint32_t>(std::clamp<std::int32_t>(count, 1, static_cast<std::int32_t>(kEntriesMax)));
  job->steps.push_back({info.topic, number, index >= stat.min_off && index < stat.max_off && count > 0 ? index : -1});
  auto subscription = std::make_shared<std::string>();
  const auto filter = std::make_shared<TagFilter>(filter_of(ctx_, group, name, *subscription));
  auto entries = std::make_shared<std::string>();
  auto json = std::make_shared<json::Writer>(*entries);
  job->take = [json, entries, filter](const gantry_fetch_result &result) {
    for (std::uint32_t i = 0; i < result.n; ++i) {
      const gantry_record &r = result.records[i];
      json->begin_object().member("eval", filter->passes(r.tag)).member("physicOffset", r.phys_pos).member("physicSize", static_cast<std::int64_t>(r.bytes.n)).member("tagsCode", r.tag).end_object();
    }
  };
  job->answer = [entries, subscription, stat](ShardContext &ctx, const Job &done) {
    std::string body;
    json::Writer out(body);
    out.begin_object().member("maxQueueIndex", stat.max_off).member("minQueueIndex", stat.min_off).key("queueData").raw("[" + *entries + "]");
    if (!subscription->empty()) out.key("subscriptionData").raw(*subscription);
    out.end_object();
    ctx.output.reply(done.to, kSuccess, {}, nullptr, 0, body);
  };
  run(job);
}

bool ToolJobs::handle(const Request &request) {
  switch (request.header.code) {
    case kGetAllDelayOffset: delay_offsets(request); return true;
    case kGetTopicStatsInfo: topic_stats(request); return true;
    case kGetConsumeStats: consume_stats(request); return true;
    case kQueryConsumeTimeSpan: consume_time_span(request); return true;
    case kGetBrokerConsumeStats: broker_consume_stats(request); return true;
    case kCloneGroupOffset: clone_offsets(request); return true;
    case kQueryConsumeQueue: queue_entries(request); return true;
    default: return false;
  }
}

}  // namespace gantry::remoting
