#include "kernel/cli/filter_try.hpp"

#include "kernel/cli/filter_trial.hpp"
#include "kernel/cli/inspect.hpp"
#include "kernel/cli/remoting_client.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <iostream>

namespace gantry::cli {

namespace {

constexpr int kPull = 11, kMaxOffset = 30, kMinOffset = 31, kTopicConfig = 351, kFound = 0, kMoved = 21, kNotFound = 19, kRetry = 20;
constexpr int kSubscriptionInPull = 4;
constexpr const char *kGroup = "TOOLS_CONSUMER";  // every broker has it, and nothing is committed for it

struct Message {
  int queue_no = 0;
  std::int64_t queue_offset = 0, store_ms = 0;
  std::string properties;
  std::string_view record;
};

class Reader {
 public:
  Reader(const FilterTryOptions &options, RemotingClient client) : options_(options), client_(std::move(client)) {}

  // The newest of all queues by store time, oldest first.
  Result<std::vector<Message>> newest() {
    auto config = ask(kTopicConfig, {{"topic", options_.topic}});
    if (!config) return std::move(config.error());
    boost::system::error_code failed;
    const boost::json::value json = boost::json::parse(config->body, failed);
    const boost::json::value *const queues = !failed && json.is_object() ? json.as_object().if_contains("readQueueNums") : nullptr;
    if (queues == nullptr || !queues->is_int64()) return Error{GANTRY_E_CORRUPT, client_.address() + " does not say how many queues topic '" + options_.topic + "' has"};
    for (int queue = 0; queue < static_cast<int>(queues->as_int64()); ++queue) GANTRY_TRY(read(queue));
    std::stable_sort(messages_.begin(), messages_.end(), [](const Message &a, const Message &b) { return a.store_ms < b.store_ms; });
    if (messages_.size() > options_.last) messages_.erase(messages_.begin(), messages_.end() - options_.last);
    return std::move(messages_);
  }

 private:
  Result<Reply> ask(int code, const Fields &fields) {
    auto reply = client_.call(code, fields);
    if (!reply) return std::move(reply.error());
    if (reply->code != 0 && code != kPull) return Error{GANTRY_E_NOT_FOUND, client_.address() + " (code " + std::to_string(reply->code) + "): " + reply->remark};
    return reply;
  }

  Result<std::int64_t> offset(int code, int queue) {
    auto reply = ask(code, {{"topic", options_.topic}, {"queueId", std::to_string(queue)}});
    if (!reply) return std::move(reply.error());
    return static_cast<std::int64_t>(std::stoll(reply->fields["offset"]));
  }

  Result<void> read(int queue) {
    auto end = offset(kMaxOffset, queue), begin = offset(kMinOffset, queue);
    if (!end) return std::move(end.error());
    if (!begin) return std::move(begin.error());
    std::int64_t at = std::max(*begin, *end - static_cast<std::int64_t>(options_.last));
    while (at < *end) {
      auto reply = ask(kPull, {{"consumerGroup", kGroup}, {"topic", options_.topic}, {"queueId", std::to_string(queue)}, {"queueOffset", std::to_string(at)}, {"maxMsgNums", "32"},
                               {"sysFlag", std::to_string(kSubscriptionInPull)}, {"commitOffset", "0"}, {"suspendTimeoutMillis", "0"}, {"subscription", "*"}, {"subVersion", "0"}, {"expressionType", "TAG"}});
      if (!reply) return std::move(reply.error());
      if (reply->code != kFound && reply->code != kMoved && reply->code != kNotFound && reply->code != kRetry)
        return Error{GANTRY_E_DENIED, client_.address() + " refused a pull (code " + std::to_string(reply->code) + "): " + reply->remark};
      const std::int64_t next = std::stoll(reply->fields["nextBeginOffset"]);
      if (reply->code == kFound) GANTRY_TRY(keep(std::move(reply->body), *end));
      if (next <= at) break;
      at = next;
    }
    return {};
  }

  Result<void> keep(std::string body, std::int64_t end) {
    bodies_.push_back(std::move(body));
    auto decoded = decode_messages(bodies_.back());
    if (!decoded) return std::move(decoded.error());
    for (StoredMessage &m : *decoded)
      if (m.queue_offset < end) messages_.push_back({m.queue_no, m.queue_offset, m.store_ms, std::move(m.properties), m.record});
    return {};
  }

  const FilterTryOptions &options_;
  RemotingClient client_;
  std::deque<std::string> bodies_;  // records lie in them
  std::vector<Message> messages_;
};

std::string readable(std::string properties) {
  std::string out;
  for (const char c : properties) out += c == '\x01' ? std::string("=") : c == '\x02' ? std::string("  ") : static_cast<unsigned char>(c) < ' ' ? std::string("?") : std::string(1, c);
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

boost::json::object properties_of(std::string_view properties) {
  boost::json::object out;
  while (!properties.empty()) {
    const std::size_t end = std::min(properties.find('\x02'), properties.size());
    const std::string_view entry = properties.substr(0, end);
    if (const std::size_t separator = entry.find('\x01'); separator != std::string_view::npos) out[entry.substr(0, separator)] = entry.substr(separator + 1);
    properties.remove_prefix(std::min(end + 1, properties.size()));
  }
  return out;
}

std::size_t count(const TrialResult &result, Verdict verdict) { return static_cast<std::size_t>(std::count(result.verdicts.begin(), result.verdicts.end(), verdict)); }

void print_json(const FilterTryOptions &options, const std::vector<Message> &messages, const TrialResult &result) {
  boost::json::array examples;
  for (std::size_t i = messages.size(); i-- > 0 && examples.size() < options.examples;) {
    if (result.verdicts[i] != Verdict::kYes) continue;
    examples.push_back(boost::json::object{{"queue", messages[i].queue_no}, {"offset", messages[i].queue_offset}, {"store_ms", messages[i].store_ms}, {"properties", properties_of(messages[i].properties)}});
  }
  std::cout << boost::json::serialize(boost::json::object{{"schema", 1}, {"topic", options.topic}, {"type", options.type}, {"expression", options.expression}, {"messages", messages.size()},
                                                          {"matched", count(result, Verdict::kYes)}, {"undecided", count(result, Verdict::kUndecided)}, {"not_looked_at", count(result, Verdict::kNotLookedAt)},
                                                          {"suspended", result.suspended}, {"reason", result.reason}, {"ns_per_message", result.ns_per_message}, {"examples", examples}})
            << "\n";
}

void print_text(const FilterTryOptions &options, const std::vector<Message> &messages, const TrialResult &result) {
  const std::size_t matched = count(result, Verdict::kYes), undecided = count(result, Verdict::kUndecided), skipped = count(result, Verdict::kNotLookedAt);
  std::printf("%zu of the last %zu messages of %s match (%.1f%%)\n", matched, messages.size(), options.topic.c_str(), messages.empty() ? 0.0 : 100.0 * static_cast<double>(matched) / static_cast<double>(messages.size()));
  if (undecided != 0) std::printf("%zu cannot be decided and do not match; the first: %s\n", undecided, result.reason.c_str());
  if (result.suspended) std::printf("the filter would be SUSPENDED: %s; %zu messages were not looked at\n", result.reason.c_str(), skipped);
  if (!messages.empty() && !result.suspended) std::printf("%.0f ns per message\n", result.ns_per_message);
  std::size_t shown = 0;
  for (std::size_t i = messages.size(); i-- > 0 && shown < options.examples;) {
    if (result.verdicts[i] != Verdict::kYes) continue;
    if (shown++ == 0) std::printf("the newest that match:\n");
    std::printf("  queue %d offset %lld: %s\n", messages[i].queue_no, static_cast<long long>(messages[i].queue_offset), readable(messages[i].properties).c_str());
  }
}

// Where a broker of this configuration listens, from this machine.
std::string address_of(const config::Document &document) {
  for (const config::ProtocolSettings &protocol : document.protocols())
    if (protocol.component != "nameserver") return "127.0.0.1" + protocol.listen.substr(protocol.listen.rfind(':'));
  return "127.0.0.1:10911";
}

int complain(const Error &error, int code = kExitFailed) {
  std::fprintf(stderr, "gantry: %s\n", error.text.c_str());
  return code;
}

}  // namespace

int try_filter(const FilterTryOptions &options) {
  auto document = load_document(RunOptions{options.config_file, {}});
  if (!document) return complain(document.error());
  FilterTrial trial;
  if (const auto compiled = trial.compile(*document, options.type, options.expression); !compiled) {
    const std::int32_t code = compiled.error().code;
    return complain(compiled.error(), code == GANTRY_E_SYNTAX || code == GANTRY_E_LIMIT ? kExitUsage : kExitFailed);
  }
  auto client = RemotingClient::connect(options.broker.empty() ? address_of(*document) : options.broker);
  if (!client) return complain(client.error());
  Reader reader(options, std::move(*client));
  auto messages = reader.newest();
  if (!messages) return complain(messages.error());
  std::vector<std::string_view> records;
  for (const Message &message : *messages) records.push_back(message.record);
  const TrialResult result = trial.run(records);
  if (options.json)
    print_json(options, *messages, result);
  else
    print_text(options, *messages, result);
  return 0;
}

}  // namespace gantry::cli
