#include "remoting/reset_requests.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"
#include "json/writer.hpp"
#include "remoting/members.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

// False: answered already.
bool ResetRequests::read_fields(const Request &request, Reset &out) {
  out.conn = &request.conn;
  out.to = request.to();
  out.topic_name = request.header.text("topic");
  out.group_name = request.header.text("group");
  out.force = parse_bool(request.header.text("isForce"));
  if (parse_number(request.header.text("timestamp"), out.time_ms)) return true;
  ctx_.output.reply(request.to(), kSystemError, "field timestamp is missing or no number");
  return false;
}

// The queues with what is committed in each. False: answered already.
bool ResetRequests::collect(const Request &request, std::uint32_t write_queues, Reset &out) {
  const Services &s = ctx_.services;
  std::int32_t only = -1;
  (void)parse_number(request.header.text("queueId"), only);  // of 5.x tools; -1 = all
  out.group = s.broker->group_find(s.host, str(out.group_name), 0);
  for (std::uint32_t i = 0; i < write_queues && out.group != 0; ++i) {
    if (only >= 0 && i != static_cast<std::uint32_t>(only)) continue;
    Queue queue{i, 0, 0};
    if (s.broker->offset_query(s.host, out.group, out.topic, i, GANTRY_OFFSET_EXACT, &queue.committed) != GANTRY_OK) {
      out.queues.clear();
      break;
    }
    out.queues.push_back(queue);
  }
  if (!out.queues.empty()) return true;
  ctx_.output.reply(request.to(), kSystemError, "THe consumer group <" + shown(out.group_name) + "> not exist");  // RocketMQ's words
  return false;
}

void ResetRequests::reset_offset(const Request &request) {
  auto reset = std::make_shared<Reset>();
  if (!read_fields(request, *reset)) return;
  gantry_topic_info info{};
  info.size = sizeof info;
  if (ctx_.services.broker->topic_find(ctx_.services.host, str(reset->topic_name), &info) != GANTRY_OK)
    return ctx_.output.reply(request.to(), kSystemError, "[reset-offset] reset offset failed, no topic in this broker. topic=" + shown(reset->topic_name));
  reset->topic = info.topic;
  if (collect(request, info.write_queues, *reset)) seek(reset);
}

void ResetRequests::seek(const Shared &reset) {
  const Services &s = ctx_.services;
  for (std::size_t i = 0; i < reset->queues.size(); ++i) {
    const std::uint32_t number = reset->queues[i].number;
    if (reset->time_ms < 0) {
      gantry_queue_stat stat{};
      (void)s.broker->queue_stat(s.host, reset->topic, number, &stat);
      found(*reset, i, stat.max_off);
      continue;
    }
    const std::uint32_t slot = ctx_.pendings.take(PendingKind::kResetSeek, *reset->conn, reset->to);
    if (slot == kNoSlot) {
      reset->failed = true;
      break;
    }
    const std::int32_t status = s.broker->seek_time(s.host, reset->topic, number, reset->time_ms, slot, ctx_.cq);
    if (status >= 0) {
      parts_.emplace(slot, Part{reset, i});
      ++reset->open;
      continue;
    }
    ctx_.pendings.give_back(slot);
    if (status == GANTRY_E_NOT_FOUND)
      found(*reset, i, 0);  // a queue never used
    else
      reset->failed = true;
  }
  if (reset->open == 0) apply(reset);
}

void ResetRequests::found(Reset &reset, std::size_t i, std::int64_t offset) {
  Queue &queue = reset.queues[i];
  queue.target = std::max<std::int64_t>(offset, 0);
  if (!reset.force) queue.target = std::min(queue.target, queue.committed);
}

ResetRequests::Part ResetRequests::part(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  ctx_.pendings.give_back(slot);
  auto node = parts_.extract(slot);
  GANTRY_ASSERT(!node.empty());
  --node.mapped().reset->open;
  return std::move(node.mapped());
}

void ResetRequests::complete_seek(const gantry_cqe &cqe) {
  const Part done = part(cqe);
  if (cqe.status == GANTRY_OK)
    found(*done.reset, done.queue, cqe.result);
  else
    done.reset->failed = true;
  if (done.reset->open == 0) apply(done.reset);
}

void ResetRequests::complete_commit(const gantry_cqe &cqe) {
  const Part done = part(cqe);
  if (cqe.status != GANTRY_OK) done.reset->failed = true;
  if (done.reset->open == 0) finish(*done.reset);
}

// A MessageQueue as a key is what Java reads; C++ clients read a list.
std::string ResetRequests::body_of(const Reset &reset, bool as_list) const {
  std::string out;
  json::Writer json(out);
  json.begin_object().key("offsetTable");
  as_list ? json.begin_array() : json.begin_object();
  for (const Queue &queue : reset.queues) {
    std::string name;
    json::Writer mq(name);
    mq.begin_object().member("brokerName", ctx_.settings.broker_name);
    if (as_list) mq.member("offset", queue.target);
    mq.member("queueId", queue.number).member("topic", reset.topic_name).end_object();
    as_list ? json.raw(name) : json.raw_key(name).number(queue.target);
  }
  as_list ? json.end_array() : json.end_object();
  json.end_object();
  return out;
}

void ResetRequests::apply(const Shared &reset) {
  if (reset->failed) return finish(*reset);
  const std::vector<GroupMember> members = consumers_of(ctx_.services, reset->group_name);
  if (members.empty()) return commit(reset);
  for (const GroupMember &m : members) {
    ClientCall call;
    call.code = kResetConsumerClientOffset;
    call.ext = {{"topic", reset->topic_name}, {"group", reset->group_name}, {"timestamp", std::to_string(reset->time_ms)}, {"isForce", reset->force ? "true" : "false"}};
    call.body = body_of(*reset, m.language == kLanguageCpp);
    calls_.tell(m.address, std::move(call));
  }
  finish(*reset);
}

// The answer promises that the offsets survive a crash, so it waits for their rows.
void ResetRequests::commit(const Shared &reset) {
  if (reset->conn->id != reset->to.conn) return;  // the tool is gone and will not learn of it
  for (std::size_t i = 0; i < reset->queues.size() && !reset->failed; ++i) {
    const std::uint32_t slot = ctx_.pendings.take(PendingKind::kResetCommit, *reset->conn, reset->to);
    reset->failed = slot == kNoSlot;
    if (reset->failed) break;
    const Queue &queue = reset->queues[i];
    if (ctx_.services.broker->offset_commit(ctx_.services.host, reset->group, reset->topic, queue.number, queue.target, slot, ctx_.cq) >= 0) {
      parts_.emplace(slot, Part{reset, i});
      ++reset->open;
    } else {
      ctx_.pendings.give_back(slot);
      reset->failed = true;
    }
  }
  if (reset->open == 0) finish(*reset);
}

void ResetRequests::finish(const Reset &reset) {
  if (reset.failed) return ctx_.output.reply(reset.to, kSystemError, "the broker's store did not find or keep the new offsets of group " + shown(reset.group_name));
  ctx_.output.reply(reset.to, kSuccess, {}, nullptr, 0, body_of(reset, false));
}

}  // namespace gantry::remoting
