#include "remoting/relay_requests.hpp"

#include "codec/codes.hpp"
#include "codec/properties.hpp"
#include "codec/send_header.hpp"
#include "json/writer.hpp"
#include "remoting/members.hpp"

#include <gantry++/str.hpp>

#include <charconv>
#include <chrono>

namespace gantry::remoting {

namespace {

// How long RocketMQ waits for a client.
constexpr std::int64_t kRelayMs = 10'000;
constexpr std::int64_t kStatusMs = 5'000;
constexpr std::size_t kPositionDigits = 16;
constexpr std::string_view kBusy = "[REJECTREQUEST]system busy, start flow control for a while";

ClientCall copy_of(const Request &request) {
  ClientCall call;
  call.code = request.header.code;
  for (std::uint32_t i = 0; i < request.header.n_ext; ++i) call.ext.emplace_back(request.header.ext[i].key, request.header.ext[i].value);
  return call;
}

std::string_view property(std::string_view properties, std::string_view wanted) {
  PropertyReader in(properties);
  std::string_view key, value, entry;
  while (in.next(key, value, entry))
    if (key == wanted) return value;
  return {};
}

// A message id ends with the log position, as 16 hex digits.
bool position_of(std::string_view id, std::int64_t &out) {
  if (id.size() <= kPositionDigits) return false;
  const char *const begin = id.data() + id.size() - kPositionDigits;
  const char *const end = id.data() + id.size();
  const auto [stop, error] = std::from_chars(begin, end, out, 16);
  return error == std::errc() && stop == end && out >= 0;
}

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

// False: refused already.
bool RelayRequests::member(const Request &request, ClientAddress &out) {
  const std::string_view group = request.header.text("consumerGroup"), client = request.header.text("clientId");
  for (const GroupMember &m : consumers_of(ctx_.services, group)) {
    if (m.client_id != client) continue;
    out = m.address;
    return true;
  }
  ctx_.output.reply(request.to(), kSystemError, "The Consumer <" + shown(group) + "> <" + shown(client) + "> not online");
  return false;
}

// What the client answers is the answer.
void RelayRequests::relay(const ReplyTo &to, const ClientAddress &client, ClientCall call) {
  calls_.call(client, std::move(call), kRelayMs, [this, to](const CallResult &result) {
    if (result.end == CallEnd::kTimeout) return ctx_.output.reply(to, kConsumeMsgTimeout, "the consumer did not answer in time");
    if (result.end == CallEnd::kGone) return ctx_.output.reply(to, kSystemError, "the consumer's connection was closed before it answered");
    std::vector<ExtField> ext;
    for (const auto &[key, value] : result.ext) ext.push_back({key, value});
    ctx_.output.reply(to, result.code, result.remark, ext.data(), static_cast<std::uint32_t>(ext.size()), result.body);
  });
}

void RelayRequests::running_info(const Request &request) {
  ClientAddress client;
  if (member(request, client)) relay(request.to(), client, copy_of(request));
}

void RelayRequests::consume_directly(const Request &request) {
  ClientAddress client;
  if (!member(request, client)) return;
  std::int64_t position = 0;
  if (!position_of(request.header.text("msgId"), position)) return ctx_.output.reply(request.to(), kSystemError, "field msgId is missing or no message id");
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kDirect, request.conn, request.to());
  if (slot == kNoSlot) return ctx_.output.reply(request.to(), kSystemBusy, kBusy);
  Direct direct{client, copy_of(request)};
  if (request.header.find("brokerName") == nullptr) direct.call.ext.emplace_back("brokerName", ctx_.settings.broker_name);
  directs_.emplace(slot, std::move(direct));
  gantry_cqe refused{};
  refused.user_data = slot;
  refused.status = ctx_.services.broker->message_at(ctx_.services.host, position, slot, ctx_.cq);
  if (refused.status < 0) complete_direct(refused);
}

void RelayRequests::complete_direct(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx_.pendings.at(slot).to;
  ctx_.pendings.give_back(slot);
  auto node = directs_.extract(slot);
  GANTRY_ASSERT(!node.empty());
  Direct &direct = node.mapped();
  const auto *result = cqe.status == GANTRY_OK ? reinterpret_cast<const gantry_fetch_result *>(cqe.aux) : nullptr;
  if (result != nullptr && result->n == 1) {
    direct.call.body = view(result->records[0].bytes);
    relay(to, direct.client, std::move(direct.call));
  } else {
    ctx_.output.reply(to, kSystemError, "the message is not in the store of this broker");
  }
  if (result != nullptr && result->owner != nullptr) result->owner->release(result->owner);
}

// Answers of several members, collected.
struct RelayRequests::Status {
  ReplyTo to;
  std::size_t open = 0;
  std::string table;  // members of the JSON object consumerTable
};

void RelayRequests::add_status(Status &status, const std::string &client_id, const CallResult &result) {
  const bool good = result.end == CallEnd::kAnswered && result.code == kSuccess && document_.parse(result.body);
  const json::Value *offsets = good ? document_.root().find("messageQueueTable") : nullptr;
  if (offsets == nullptr || !offsets->is_object()) return;
  if (!status.table.empty()) status.table += ',';
  json::append_quoted(status.table, client_id);
  status.table += ':';
  status.table += offsets->raw();
}

void RelayRequests::consumer_status(const Request &request) {
  const std::string_view group = request.header.text("group"), client = request.header.text("clientAddr");
  std::vector<GroupMember> members = consumers_of(ctx_.services, group);
  if (!client.empty()) std::erase_if(members, [client](const GroupMember &m) { return m.client_id != client; });
  if (members.empty()) return ctx_.output.reply(request.to(), kSystemError, "No Any Consumer online in the consumer group: [" + shown(group) + "]");
  auto status = std::make_shared<Status>();
  status->to = request.to();
  status->open = members.size();
  for (const GroupMember &m : members) {
    ClientCall call;
    call.code = kGetConsumerStatusFromClient;
    call.ext = {{"topic", std::string(request.header.text("topic"))}, {"group", std::string(group)}};
    calls_.call(m.address, std::move(call), kStatusMs, [this, status, id = m.client_id](const CallResult &result) {
      add_status(*status, id, result);
      if (--status->open != 0) return;
      ctx_.output.reply(status->to, kSuccess, {}, nullptr, 0, "{\"consumerTable\":{" + status->table + "}}");
    });
  }
}

ClientCall RelayRequests::push_of(const Request &request, const SendHeader &send) const {
  ClientCall push;
  push.code = kPushReplyMessageToClient;
  push.ext = {{"producerGroup", std::string(send.producer_group)},
              {"topic", std::string(send.topic)},
              {"defaultTopic", std::string(send.default_topic)},
              {"defaultTopicQueueNums", std::to_string(send.default_topic_queues)},
              {"queueId", std::to_string(send.queue_id)},
              {"sysFlag", std::to_string(send.sys_flag)},
              {"bornTimestamp", std::to_string(send.born_ms)},
              {"flag", std::to_string(send.flag)},
              {"properties", std::string(send.properties)},
              {"reconsumeTimes", std::to_string(send.reconsume_times)},
              {"unitMode", send.unit_mode ? "true" : "false"},
              {"bornHost", request.conn.peer},
              {"storeHost", ctx_.settings.store_address},
              {"storeTimestamp", std::to_string(wall_ms())}};
  push.body = request.body;
  return push;
}

// The answer of an exchange goes to the requester, which the property names by its client id.
void RelayRequests::send_reply(const Request &request) {
  const ReplyTo to = request.to();
  const auto answer = [this](const ReplyTo &whom, std::int32_t code, const std::string &remark, std::int32_t queue_id) {
    const std::string queue = std::to_string(queue_id);
    const ExtField ext[] = {{"msgId", "0"}, {"queueId", queue}, {"queueOffset", "0"}, {"MSG_REGION", ctx_.settings.replies.region()}, {"TRACE_ON", ctx_.settings.replies.trace_on()}};
    ctx_.output.reply(whom, code, remark, ext, 5);
  };
  SendHeader send;
  if (const char *wrong = decode_send_header(request.header, send)) return answer(to, kSystemError, std::string("reply message: ") + wrong, 0);
  if (request.body.size() > ctx_.settings.max_message_bytes) return answer(to, kMessageIllegal, "the body of the reply is larger than the broker's limit", send.queue_id);
  const std::string client(property(send.properties, "REPLY_TO_CLIENT"));
  if (client.empty()) return answer(to, kSystemError, "REPLY_TO_CLIENT is null, can not reply message", send.queue_id);
  for (const GroupMember &m : producers_of(ctx_.services, {})) {
    if (m.client_id != client) continue;
    return calls_.call(m.address, push_of(request, send), kRelayMs, [answer, to, client, queue_id = send.queue_id](const CallResult &result) {
      const bool good = result.end == CallEnd::kAnswered && result.code == kSuccess;
      answer(to, good ? kSuccess : kSystemError, good ? std::string() : "push reply message to " + shown(client) + " fail.", queue_id);
    });
  }
  answer(to, kSystemError, "push reply message fail, channel of <" + shown(client) + "> not found.", send.queue_id);
}

}  // namespace gantry::remoting
