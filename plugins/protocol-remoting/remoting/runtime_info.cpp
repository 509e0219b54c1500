// Settings and counters of the broker: 25, 26, 28, 315.
#include "codec/codes.hpp"
#include "json/writer.hpp"
#include "remoting/admin_requests.hpp"
#include "remoting/queue_json.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

namespace {

constexpr std::string_view kTraceTopic = "RMQ_SYS_TRACE_TOPIC";

struct Setting {
  std::string_view rocketmq, gantry;  // RocketMQ's name, and where broker.toml has it
  std::string value;
};

// What this broker has of RocketMQ's settings.
std::vector<Setting> settings_of(ShardContext &ctx) {
  const Services &s = ctx.services;
  gantry_broker_info info{};
  info.size = sizeof info;
  s.broker->info(s.host, &info);
  gantry_broker_settings set{};
  set.size = sizeof set;
  s.admin->settings(s.host, &set);
  gantry_topic_info trace{};
  const auto truth = [](std::uint32_t value) { return std::string(value != 0 ? "true" : "false"); };
  const std::string &address = ctx.settings.store_address;
  const std::size_t colon = address.rfind(':');
  return {{"brokerClusterName", "[broker] cluster", std::string(view(info.cluster))},
          {"brokerName", "[broker] name", std::string(view(info.name))},
          {"brokerId", "[broker] id", std::to_string(info.id)},
          {"brokerIP1", "[[protocol]] advertise", address.substr(0, colon)},
          {"listenPort", "[[protocol]] listen", address.substr(colon + 1)},
          {"brokerPermission", "", std::to_string(info.perm)},
          {"brokerRole", "[broker] id", info.id == 0 ? "ASYNC_MASTER" : "SLAVE"},
          {"flushDiskType", "[store] ack", info.default_durability == GANTRY_DURABILITY_DURABLE ? "SYNC_FLUSH" : "ASYNC_FLUSH"},
          {"autoCreateTopicEnable", "[broker] auto_create_topics", truth(set.auto_create_topics)},
          {"autoCreateSubscriptionGroup", "[broker] auto_create_groups", truth(set.auto_create_groups)},
          {"defaultTopicQueueNums", "[broker] default_topic_queues", std::to_string(set.default_topic_queues)},
          {"maxMessageSize", "[broker] max_message_size", std::to_string(info.max_message_bytes)},
          {"messageDelayLevel", "[broker] delay_levels", std::string(view(set.delay_levels))},
          {"timerMaxDelaySec", "[broker] max_timer_delay", std::to_string(set.max_timer_delay_ms / 1000)},
          {"transactionTimeOut", "[broker] transaction_timeout", std::to_string(set.transaction_timeout_ms)},
          {"transactionCheckInterval", "[broker] transaction_check_interval", std::to_string(set.transaction_check_interval_ms)},
          {"transactionCheckMax", "[broker] transaction_check_max", std::to_string(set.transaction_check_max)},
          {"fileReservedTime", "[store] retention", std::to_string(std::max<std::int64_t>(set.retention_ms, 0) / 3'600'000)},
          {"regionId", "[[protocol]] region", std::string(ctx.settings.replies.region())},
          {"traceOn", "[[protocol]] trace_on", std::string(ctx.settings.replies.trace_on())},
          {"msgTraceTopicName", "", std::string(kTraceTopic)},
          {"traceTopicEnable", "", truth(find_topic_info(ctx, kTraceTopic, trace) ? 1 : 0)},
          // What RocketMQ has and this broker has not: tools that export settings want to see it.
          {"slaveReadEnable", "", "false"},
          {"filterServerNums", "", "0"},
          {"useTLS", "", "false"}};
}

void broker_config(ShardContext &ctx, const Request &request) {
  std::string body;
  for (const Setting &setting : settings_of(ctx)) body.append(setting.rocketmq).append("=").append(setting.value).append("\n");
  // Settings do not change while the broker runs.
  const ExtField ext[] = {{"version", R"({"counter":0,"timestamp":0})"}};
  ctx.output.reply(request.to(), kSuccess, {}, ext, 1, body);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\r')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// Settings that strangers could write were CVE-2023-33246. One that says what holds already is fine.
void update_broker_config(ShardContext &ctx, const Request &request) {
  const std::vector<Setting> settings = settings_of(ctx);
  bool any = false;
  for (std::size_t at = 0; at < request.body.size();) {
    const std::size_t end = std::min(request.body.find('\n', at), request.body.size());
    const std::string_view line = trimmed(request.body.substr(at, end - at));
    at = end + 1;
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return ctx.output.reply(request.to(), kSystemError, "string2Properties error: no '=' in '" + shown(line) + "'");
    any = true;
    const std::string_view key = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
    const auto known = std::find_if(settings.begin(), settings.end(), [key](const Setting &s) { return s.rocketmq == key; });
    if (known != settings.end() && known->value == value) continue;
    std::string remark = "setting " + shown(key) + " cannot be changed while the broker runs: ";
    remark += known == settings.end() || known->gantry.empty() ? "it is none of this broker's; what there is stands in broker.toml" : "change " + std::string(known->gantry) + " in broker.toml and restart";
    return ctx.output.reply(request.to(), kNoPermission, remark);
  }
  if (!any) return ctx.output.reply(request.to(), kSystemError, "string2Properties error: no setting in the body");
  ctx.output.reply(request.to(), kSuccess);
}

std::string three(const double (&values)[3]) { return fraction(values[0]) + " " + fraction(values[1]) + " " + fraction(values[2]); }

std::string up_time(std::int64_t ms) {
  const std::int64_t s = ms / 1000;
  return "[ " + std::to_string(s / 86400) + " days, " + std::to_string(s / 3600 % 24) + " hours, " + std::to_string(s / 60 % 60) + " minutes, " + std::to_string(s % 60) + " seconds ]";
}

// Keys as RocketMQ's tools read them; those that speak of its thread pools and page cache are left out, or 0 where a tool needs a number.
void runtime(ShardContext &ctx, const Request &request) {
  const Services &s = ctx.services;
  gantry_broker_runtime r{};
  r.size = sizeof r;
  s.admin->runtime(s.host, &r);
  // Of the disk that the log is on, whoever uses it, as RocketMQ has it; of the store alone where that is not known.
  const std::uint64_t disk = r.disk_bytes != 0 ? r.disk_bytes : r.bytes_on_disk + r.free_bytes;
  const std::string ratio = disk == 0 ? "0.00" : fraction(static_cast<double>(disk - std::min(disk, r.free_bytes)) / static_cast<double>(disk));
  const std::string put_now = std::to_string(r.put_messages), get_now = std::to_string(r.get_messages);
  std::string body;
  json::Writer json(body);
  json.begin_object().key("table").begin_object();
  const auto text = [&json](std::string_view key, const std::string &value) { json.member(key, value); };
  text("brokerVersionDesc", "V4_9_8");
  text("brokerVersion", std::to_string(kVersion));
  text("brokerActive", "true");
  text("bootTimestamp", std::to_string(r.boot_ms));
  text("runtime", up_time(s.now_ms() - r.boot_ms));
  text("putTps", three(r.put_per_s));
  text("getTransferedTps", three(r.get_per_s));
  text("getTransferredTps", three(r.get_per_s));  // as 5.x spells it
  text("getFoundTps", three(r.get_per_s));
  text("getTotalTps", three(r.get_per_s));
  text("putMessageTimesTotal", put_now);
  text("putMessageSizeTotal", std::to_string(r.put_bytes));
  text("putMessageAverageSize", fraction(r.put_messages == 0 ? 0 : static_cast<double>(r.put_bytes) / static_cast<double>(r.put_messages)));
  text("msgPutTotalYesterdayMorning", std::to_string(r.put_yesterday_morning));
  text("msgPutTotalTodayMorning", std::to_string(r.put_today_morning));
  text("msgPutTotalTodayNow", put_now);
  text("msgGetTotalYesterdayMorning", std::to_string(r.get_yesterday_morning));
  text("msgGetTotalTodayMorning", std::to_string(r.get_today_morning));
  text("msgGetTotalTodayNow", get_now);
  text("commitLogMinOffset", std::to_string(r.log_begin_pos));
  text("commitLogMaxOffset", std::to_string(r.log_end_pos));
  text("remainHowManyDataToFlush", std::to_string(r.log_end_pos - r.durable_pos) + " B");
  text("commitLogDiskRatio", ratio);
  text("consumeQueueDiskRatio", ratio);
  text("commitLogBytesOnDisk", std::to_string(r.bytes_on_disk));
  text("commitLogBytesPerSecond", std::to_string(r.write_bytes_per_s));
  text("commitLogFull", r.space == GANTRY_SPACE_FINE ? "false" : "true");
  if (r.full_in_ms > 0) text("commitLogFullInSeconds", std::to_string((r.full_in_ms + 999) / 1000));
  text("commitLogDroppedUnconsumed", std::to_string(r.dropped_unconsumed));
  text("commitLogBadRecords", std::to_string(r.bad_records));
  text("commitLogScrubProgress", r.scrub_total_bytes == 0 ? "0.00" : fraction(static_cast<double>(r.scrub_done_bytes) / static_cast<double>(r.scrub_total_bytes)));
  text("commitLogScrubLastTimestamp", std::to_string(r.scrub_last_ms));
  text("commitLogScrubBadRecords", std::to_string(r.scrub_bad_records));
  text("commitLogDirCapacity", "Total : " + std::to_string(disk) + " B, Free : " + std::to_string(r.free_bytes) + " B.");
  // One thread serves all requests of a connection, without queues in between.
  for (const char *key : {"sendThreadPoolQueueSize", "sendThreadPoolQueueHeadWaitTimeMills", "pullThreadPoolQueueSize", "pullThreadPoolQueueHeadWaitTimeMills", "queryThreadPoolQueueSize",
                          "queryThreadPoolQueueHeadWaitTimeMills", "EndTransactionQueueSize", "pageCacheLockTimeMills", "dispatchBehindBytes"})
    text(key, "0");
  json.end_object().end_object();
  ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, body);
}

void put_span(json::Writer &json, std::string_view name, const gantry_stat_span &span, bool bytes) {
  const auto seconds = static_cast<double>(span.span_ms) / 1000;
  const auto sum = static_cast<double>(bytes ? span.bytes : span.messages), times = static_cast<double>(span.messages);
  json.key(name).begin_object().key("avgpt").raw(fraction(times > 0 ? sum / times : 0)).member("sum", bytes ? span.bytes : span.messages);
  json.key("tps").raw(fraction(seconds > 0 ? sum / seconds : 0)).end_object();
}

void stats_data(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("statsName"), key = request.header.text("statsKey");
  const Services &s = ctx.services;
  const std::size_t at = key.find('@');
  const std::string_view topic = key.substr(0, at), group = at == std::string_view::npos ? std::string_view() : key.substr(at + 1);
  const bool bytes = name.ends_with("_SIZE");
  gantry_stat stat{};
  stat.size = sizeof stat;
  std::int32_t status = GANTRY_E_NOT_FOUND;
  if (name == "TOPIC_PUT_NUMS" || name == "TOPIC_PUT_SIZE") status = s.admin->stat(s.host, GANTRY_STAT_TOPIC_PUT, str(key), {}, &stat);
  if (name == "GROUP_GET_NUMS" || name == "GROUP_GET_SIZE") status = s.admin->stat(s.host, GANTRY_STAT_GROUP_GET, str(topic), str(group), &stat);
  gantry_broker_info info{};
  info.size = sizeof info;
  s.broker->info(s.host, &info);
  if (key == view(info.cluster) && name == "BROKER_PUT_NUMS") status = s.admin->stat(s.host, GANTRY_STAT_BROKER_PUT, {}, {}, &stat);
  if (key == view(info.cluster) && name == "BROKER_GET_NUMS") status = s.admin->stat(s.host, GANTRY_STAT_BROKER_GET, {}, {}, &stat);
  if (status != GANTRY_OK) return ctx.output.reply(request.to(), kSystemError, "The stats <" + shown(name) + "> <" + shown(key) + "> not exist");
  std::string body;
  json::Writer json(body);
  json.begin_object();
  put_span(json, "statsDay", stat.day, bytes);
  put_span(json, "statsHour", stat.hour, bytes);
  put_span(json, "statsMinute", stat.minute, bytes);
  json.end_object();
  ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, body);
}

}  // namespace

bool tell_runtime(ShardContext &ctx, const Request &request) {
  switch (request.header.code) {
    case kUpdateBrokerConfig: update_broker_config(ctx, request); return true;
    case kGetBrokerConfig: broker_config(ctx, request); return true;
    case kGetBrokerRuntimeInfo: runtime(ctx, request); return true;
    case kViewBrokerStatsData: stats_data(ctx, request); return true;
    case kGantryPluginUsage: tell_usage(ctx, request); return true;
    default: return false;
  }
}

}  // namespace gantry::remoting
