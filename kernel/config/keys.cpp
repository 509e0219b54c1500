#include "kernel/config/keys.hpp"

#include "kernel/config/delay_levels.hpp"
#include "kernel/config/value.hpp"

namespace gantry::config {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

constexpr gantry_config_key kBrokerKeys[] = {
    {"cluster", GANTRY_KEY_STRING, 0, "DefaultCluster", 0, 0, nullptr, "cluster this broker belongs to, as clients and tools see it"},
    {"name", GANTRY_KEY_STRING, 0, "broker-a", 0, 0, nullptr, "name of the broker; master and slaves of one group share it"},
    {"id", GANTRY_KEY_INT, 0, "0", 0, INT32_MAX, nullptr, "0 is the master of its name, other numbers are slaves"},
    {"data_dir", GANTRY_KEY_PATH, 0, "gantry-data", 0, 0, nullptr, "folder of all data; made when missing, locked while the broker runs"},
    {"auto_create_topics", GANTRY_KEY_BOOL, 0, "true", 0, 0, nullptr, "make a topic when the first message for it arrives"},
    {"auto_create_groups", GANTRY_KEY_BOOL, 0, "true", 0, 0, nullptr, "make a consumer group when its first member arrives"},
    {"default_topic_queues", GANTRY_KEY_INT, 0, "8", 1, 16384, nullptr, "message queues of a topic that is made automatically"},
    {"delay_levels", GANTRY_KEY_STRING, 0, kDefaultDelayLevels, 0, 0, nullptr,
     "delays of the levels 1, 2, ... that a message can ask for; units s, m, h, d"},
    {"max_timer_delay", GANTRY_KEY_DURATION, 0, "3d", 1000, 366ll * 86'400'000, nullptr, "how far ahead the due time of a message may lie; what waits longer than retention is stored again"},
    {"allocator", GANTRY_KEY_STRING, 0, "allocator-standard", 0, 0, nullptr,
     "plugin that divides queues among consumers who ask the broker: its name, or the path of its file; \"\" is the built-in average alone"},
    {"filters", GANTRY_KEY_LIST, 0, "[\"filter-sql92\"]", 0, 0, nullptr, "plugins that filter messages by expressions: names, or paths of their files; those with keys of their own have a [[filter]] instead; [] without any [[filter]] leaves consumers only tags"},
    {"transaction_timeout", GANTRY_KEY_DURATION, 0, "6s", 100, 86'400'000, nullptr, "age at which the producer of an undecided transaction is first asked about it"},
    {"transaction_check_interval", GANTRY_KEY_DURATION, 0, "30s", 100, 86'400'000, nullptr, "how often producers are asked about undecided transactions"},
    {"transaction_check_max", GANTRY_KEY_INT, 0, "15", 1, 65'535, nullptr, "a transaction still undecided after so many questions goes to TRANS_CHECK_MAX_TIME_TOPIC"},
    {"max_message_size", GANTRY_KEY_SIZE, 0, "4 MiB", 1024, 15 * kMiB, nullptr, "largest body of one message"},
    {"shards", GANTRY_KEY_INT, 0, "0", 0, 64, nullptr, "threads that serve connections; 0 is one up to two cores, else the cores less one"},
    {"drain_timeout", GANTRY_KEY_DURATION, 0, "10s", 0, 600'000, nullptr, "how long a shutdown waits for answers under way"},
    {"log_level", GANTRY_KEY_ENUM, 0, "info", 0, 0, "debug info warn error", "least level that is written to the log"},
    {"plugin_dirs", GANTRY_KEY_LIST, 0, nullptr, 0, 0, nullptr, "folders searched for plugins before the built-in ones"},
};

constexpr gantry_config_key kStoreKeys[] = {
    {"plugin", GANTRY_KEY_STRING, 0, "store-commitlog", 0, 0, nullptr, "plugin that keeps the messages: its name, or the path of its file"},
    {"ack", GANTRY_KEY_ENUM, 0, "durable", 0, 0, "memory written durable",
     "a send is acknowledged when the message is in memory, handed to the operating system (survives kill -9), or on the disk (survives power loss)"},
};

constexpr gantry_config_key kAuthKeys[] = {
    {"plugin", GANTRY_KEY_STRING, 0, "auth-acl", 0, 0, nullptr, "plugin that says who may do what: its name, or the path of its file"},
    {"audit", GANTRY_KEY_ENUM, 0, "refusals", 0, 0, "off refusals changes", "what is written to the log under the name \"audit\"; changes: refusals, and whatever makes, changes or deletes something"},
};

constexpr gantry_config_key kProtocolKeys[] = {
    {"plugin", GANTRY_KEY_STRING, GANTRY_KEY_REQUIRED, nullptr, 0, 0, nullptr, "plugin that speaks the protocol: its name, or the path of its file"},
    {"component", GANTRY_KEY_STRING, 0, nullptr, 0, 0, nullptr, "which of the plugin's protocols; its first when left out"},
    {"listen", GANTRY_KEY_STRING, GANTRY_KEY_REQUIRED, nullptr, 0, 0, nullptr,
     "\"host:port\", \"[ipv6]:port\" or \":port\" for all addresses; port 0 takes any free one"},
    {"tls", GANTRY_KEY_ENUM, 0, nullptr, 0, 0, "off optional required", "whether peers may or must use TLS; optional when tls_cert is given, else off"},
    {"tls_cert", GANTRY_KEY_PATH, 0, nullptr, 0, 0, nullptr, "PEM file with the certificate, the leaf first, then its chain"},
    {"tls_key", GANTRY_KEY_PATH, 0, nullptr, 0, 0, nullptr, "PEM file with the certificate's private key"},
    {"auth", GANTRY_KEY_ENUM, 0, nullptr, 0, 0, "required none",
     "whether requests must be signed and allowed; required where there is a section [auth]. \"none\": whoever reaches the port may do everything"},
    {"max_connections", GANTRY_KEY_INT, 0, "10000", 0, 10'000'000, nullptr, "connections at once; more are closed as they come; 0 is no limit"},
    {"idle_timeout", GANTRY_KEY_DURATION, 0, "120s", 0, 86'400'000, nullptr, "a connection silent for so long is closed; 0 is never"},
};

constexpr gantry_config_key kFilterKeys[] = {
    {"plugin", GANTRY_KEY_STRING, GANTRY_KEY_REQUIRED, nullptr, 0, 0, nullptr, "plugin that filters messages by expressions: its name, or the path of its file; its keys follow"},
};

std::string number_text(const gantry_config_key &key, std::int64_t number) {
  if (key.type == GANTRY_KEY_SIZE) return size_text(number);
  if (key.type == GANTRY_KEY_DURATION) return duration_text(number);
  return std::to_string(number);
}

bool in_quotes(const gantry_config_key &key) {
  return key.type != GANTRY_KEY_BOOL && key.type != GANTRY_KEY_INT && key.type != GANTRY_KEY_LIST;
}

std::string default_line(const gantry_config_key &key) {
  if ((key.flags & GANTRY_KEY_REQUIRED) != 0) return std::string(key.name) + " =   # required";
  const std::string text = key.default_text == nullptr ? "" : key.default_text;
  if (key.default_text == nullptr) return "# " + std::string(key.name) + " =   # not set";
  const bool quoted = in_quotes(key) && !text.starts_with('"');
  return "# " + std::string(key.name) + " = " + (quoted ? "\"" + text + "\"" : text);
}

}  // namespace

std::span<const gantry_config_key> broker_keys() { return kBrokerKeys; }
std::span<const gantry_config_key> store_keys() { return kStoreKeys; }
std::span<const gantry_config_key> auth_keys() { return kAuthKeys; }
std::span<const gantry_config_key> protocol_keys() { return kProtocolKeys; }
std::span<const gantry_config_key> filter_keys() { return kFilterKeys; }

std::string type_text(const gantry_config_key &key) {
  switch (key.type) {
    case GANTRY_KEY_BOOL: return "true or false";
    case GANTRY_KEY_INT: return "a whole number";
    case GANTRY_KEY_SIZE: return "a size such as \"64 MiB\"";
    case GANTRY_KEY_DURATION: return "a duration such as \"500ms\" or \"72h\"";
    case GANTRY_KEY_STRING: return "a string";
    case GANTRY_KEY_PATH: return "a path";
    case GANTRY_KEY_LIST: return "a list of strings";
    case GANTRY_KEY_ENUM: break;
    default: return "a value";
  }
  std::string out = "one of";
  for (const std::string_view word : enum_words(key)) out += (out == "one of" ? " \"" : ", \"") + std::string(word) + "\"";
  return out;
}

std::string range_text(const gantry_config_key &key) {
  if (key.min == 0 && key.max == 0) return {};
  constexpr std::int64_t kNoLimit = 1ll << 60;  // bounds up there only keep sums from overflowing
  if (key.max >= kNoLimit) return number_text(key, key.min) + " or more";
  return number_text(key, key.min) + " to " + number_text(key, key.max);
}

std::string render_keys(std::string_view header, std::span<const gantry_config_key> keys) {
  std::string out = header.empty() ? "" : std::string(header) + "\n";
  for (const gantry_config_key &key : keys) {
    out += "# " + std::string(key.doc == nullptr ? key.name : key.doc) + "\n";
    out += "#   " + type_text(key);
    if (const std::string range = range_text(key); !range.empty()) out += ", " + range;
    if ((key.flags & GANTRY_KEY_RELOADABLE) != 0) out += ", can be changed while running";
    if ((key.flags & GANTRY_KEY_SECRET) != 0) out += ", never printed";
    out += "\n" + default_line(key) + "\n\n";
  }
  return out;
}

}  // namespace gantry::config
