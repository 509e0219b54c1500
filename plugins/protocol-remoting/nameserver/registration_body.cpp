#include "nameserver/registration_body.hpp"

#include "codec/text.hpp"
#include "json/writer.hpp"
#include "nameserver/limits.hpp"
#include "nameserver/names.hpp"
#include "nameserver/zlib_stream.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::remoting::nameserver {

namespace {

bool queues_ok(std::int64_t read, std::int64_t write, std::int64_t perm) {
  return read >= 0 && read <= kMaxQueues && write >= 0 && write <= kMaxQueues && perm >= 0 && perm <= 0xFFFF;
}

DataVersion version_of(const json::Value *value) {
  if (value == nullptr) return {};
  return {value->int64_or("counter", 0), value->int64_or("timestamp", 0), value->int64_or("stateVersion", 0)};
}

// "topicName" inside the entry is what counts for Java; the key is the same.
bool add_topic(const json::Value &config, Registration &out) {
  const std::string_view name = config.text_or("topicName", config.key());
  const std::int64_t read = config.int64_or("readQueueNums", 16), write = config.int64_or("writeQueueNums", 16);
  const std::int64_t perm = config.int64_or("perm", kPermRead | kPermWrite);
  if (!config.is_object() || !is_name(name) || !queues_ok(read, write, perm)) return false;
  out.topics.emplace_back(name, QueueData{static_cast<std::uint32_t>(read), static_cast<std::uint32_t>(write),
                                          static_cast<std::uint32_t>(perm),
                                          static_cast<std::uint32_t>(config.int32_or("topicSysFlag", 0))});
  return true;
}

void read_wrapper(const json::Value *wrapper, Registration &out, std::uint32_t *skipped) {
  if (wrapper == nullptr) return;
  out.version = version_of(wrapper->find("dataVersion"));
  const json::Value *table = wrapper->find("topicConfigTable");
  if (table == nullptr || !table->is_object()) return;
  out.topics.reserve(table->size());
  for (const json::Value &config : *table) {
    if (!add_topic(config, out)) ++*skipped;
  }
}

void read_filter_servers(const json::Value *list, Registration &out) {
  if (list == nullptr || !list->is_array()) return;
  for (const json::Value &server : *list) {
    if (server.is_string() && is_address(server.text())) out.filter_servers.emplace_back(server.text());
  }
}

// "name readQueues writeQueues perm filterType", 5.x adds a blank and attributes.
bool add_topic_line(std::string_view line, Registration &out) {
  std::string_view fields[4];
  for (std::string_view &field : fields) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) return false;
    field = line.substr(0, blank);
    line.remove_prefix(blank + 1);
  }
  std::int64_t read = 0, write = 0, perm = 0;
  if (!is_name(fields[0]) || !parse_number(fields[1], read) || !parse_number(fields[2], write) || !parse_number(fields[3], perm) ||
      !queues_ok(read, write, perm)) {
    return false;
  }
  out.topics.emplace_back(fields[0], QueueData{static_cast<std::uint32_t>(read), static_cast<std::uint32_t>(write),
                                               static_cast<std::uint32_t>(perm), 0});
  return true;
}

Result<void> parse(std::string_view text, json::Document &document, const char *what) {
  if (document.parse(text)) return {};
  return Error{GANTRY_E_CORRUPT, std::string(what) + ": " + document.error().text()};
}

// int32 length and that many bytes, several of them; what 5.x appends behind the filter servers is not needed.
Result<void> read_blocks(std::string_view content, json::Document &document, Registration &out, std::uint32_t *skipped) {
  ByteReader in(content);
  const auto block = [&in] {
    const std::int32_t bytes = in.i32();
    return in.bytes(bytes < 0 ? in.left() + 1 : static_cast<std::size_t>(bytes));
  };
  const std::string_view version = block();
  if (in.failed()) return Error{GANTRY_E_CORRUPT, "data version: the content is cut off"};
  GANTRY_TRY(parse(version, document, "data version"));
  out.version = version_of(&document.root());
  const std::int32_t count = in.i32();
  for (std::int32_t i = 0; i < count && !in.failed(); ++i) {
    const std::string_view line = block();
    if (!in.failed() && !add_topic_line(line, out)) ++*skipped;
  }
  const std::string_view filters = block();
  if (in.failed() || count < 0) return Error{GANTRY_E_CORRUPT, "topic table: the content is cut off"};
  GANTRY_TRY(parse(filters, document, "filter servers"));
  read_filter_servers(&document.root(), out);
  return {};
}

}  // namespace

Result<void> read_registration_body(std::string_view body, BodyForm form, json::Document &document, Registration &out,
                                    std::uint32_t *skipped) {
  *skipped = 0;
  if (body.empty()) return {};
  if (form == BodyForm::kCompressed) {
    auto content = inflate_zlib(body, kMaxInflatedBytes);
    if (!content) return std::move(content.error()).in("compressed registration");
    return read_blocks(*content, document, out, skipped);
  }
  GANTRY_TRY(parse(body, document, "registration"));
  const json::Value &root = document.root();
  if (!root.is_object()) return Error{GANTRY_E_CORRUPT, "registration: expected a JSON object"};
  read_wrapper(form == BodyForm::kTopicsOnly ? &root : root.find("topicConfigSerializeWrapper"), out, skipped);
  if (form == BodyForm::kJson) read_filter_servers(root.find("filterServerList"), out);
  return {};
}

Result<DataVersion> read_data_version(std::string_view text, json::Document &document) {
  if (text.empty()) return DataVersion{};
  if (auto parsed = parse(text, document, "data version"); !parsed) return std::move(parsed.error());
  return version_of(&document.root());
}

std::string data_version_json(const DataVersion &version) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("counter", version.counter);
  if (version.state_version != 0) w.member("stateVersion", version.state_version);
  w.member("timestamp", version.timestamp_ms).end_object();
  return out;
}

}  // namespace gantry::remoting::nameserver
