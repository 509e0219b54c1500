#include "kernel/config/document.hpp"

#include "kernel/config/bound_config.hpp"
#include "kernel/config/keys.hpp"
#include "kernel/config/overrides.hpp"
#include "kernel/config/section_reader.hpp"

#include <gantry/draft/store.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace gantry::config {
namespace {

constexpr std::size_t kMaxFileBytes = 4u << 20;
constexpr std::string_view kNameServer = "nameserver";

std::uint32_t shards_for(std::int64_t configured) {
  if (configured > 0) return static_cast<std::uint32_t>(configured);
  cpu_set_t allowed;  // what this process may use, not what the machine has
  const int cores = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
  return cores <= 2 ? 1u : static_cast<std::uint32_t>(std::min(cores - 1, 64));
}

bool is_visible_name(std::string_view text) {
  return !text.empty() && text.size() <= 127 && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Result<std::string> read_text(const std::string &path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return io_error("configuration " + path + " cannot be opened", errno);
  std::string out;
  char buffer[16384];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) != 0 && out.size() <= kMaxFileBytes) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  const int error_number = errno;
  ::close(fd);
  if (n < 0) return io_error("configuration " + path + " cannot be read", error_number);
  if (out.size() > kMaxFileBytes) return Error{GANTRY_E_LIMIT, "configuration " + path + " is larger than 4 MiB"};
  return out;
}

}  // namespace

struct Document::State {
  Tree tree;
  Problems problems;
  BrokerSettings broker;
  StoreSettings store;
  AuthSettings auth;
  bool has_store = false, has_auth = false;
  std::vector<ProtocolSettings> protocols;
  std::vector<FilterSettings> filters;
  Section absent{"configuration", {}, {}};

  [[nodiscard]] const Section &section(std::string_view key) {
    TopLevel *top = find_top(tree, key);
    return top == nullptr ? absent : top->sections.front();
  }
  [[nodiscard]] const Section &protocol(std::size_t index) {
    TopLevel *top = find_top(tree, "protocol");
    GANTRY_ASSERT(top != nullptr && index < top->sections.size());
    return top->sections[index];
  }
  [[nodiscard]] static const Place &value_place(const Section &section, std::string_view key) {
    const Entry *entry = section.find(key);
    return entry == nullptr ? section.place : entry->value.place;
  }

  void read_broker();
  void read_store();
  void read_auth();
  void read_filters();
  [[nodiscard]] const Section &filter(std::size_t index);
  void read_protocols();
  void read_protocol(const Section &section);
  void check_tls(const Section &section, const ProtocolSettings &out, bool mode_given);
  void check_listens();
  void check_whole();
  std::shared_ptr<const gantry_config> bind(const Section &section, std::span<const gantry_config_key> kernel_keys, const gantry_component &component, bool in_data_dir = false);
};

void Document::State::read_broker() {
  const Section &from = section("broker");
  report_unknown_keys(from, broker_keys(), {}, problems);
  TypedValues values = read_keys(from, broker_keys(), problems, tree.whole);
  broker.cluster = values["cluster"].text;
  broker.name = values["name"].text;
  broker.id = values["id"].number;
  broker.data_dir = values["data_dir"].text;
  broker.auto_create_topics = values["auto_create_topics"].number != 0;
  broker.auto_create_groups = values["auto_create_groups"].number != 0;
  broker.default_topic_queues = static_cast<std::uint32_t>(values["default_topic_queues"].number);
  broker.max_timer_delay_ms = values["max_timer_delay"].number;
  broker.allocator = values["allocator"].text;
  broker.filters = values["filters"].list;
  broker.transaction_timeout_ms = values["transaction_timeout"].number;
  broker.transaction_check_interval_ms = values["transaction_check_interval"].number;
  broker.transaction_check_max = static_cast<std::uint32_t>(values["transaction_check_max"].number);
  broker.max_message_bytes = static_cast<std::uint32_t>(values["max_message_size"].number);
  broker.shards = shards_for(values["shards"].number);
  broker.drain_timeout_ms = values["drain_timeout"].number;
  broker.log_level = values["log_level"].text;
  broker.plugin_dirs = values["plugin_dirs"].list;
  for (const char *key : {"cluster", "name"})
    if (!is_visible_name(values[key].text))
      problems.add(value_place(from, key), std::string(key) + ": found \"" + values[key].text + "\", wanted 1 to 127 visible ASCII characters without blanks");
  if (auto levels = DelayLevels::parse(values["delay_levels"].text); levels)
    broker.delay_levels = std::move(*levels);
  else
    problems.add(value_place(from, "delay_levels"), "delay_levels: " + levels.error().text);
  if (broker.data_dir.empty()) problems.add(value_place(from, "data_dir"), "data_dir: found an empty path, wanted a folder");
}

void Document::State::read_store() {
  has_store = find_top(tree, "store") != nullptr;
  const Section &from = section("store");
  TypedValues values = read_keys(from, store_keys(), problems, tree.whole);
  store.plugin = values["plugin"].text;
  store.ack_text = values["ack"].text;
  store.ack = store.ack_text == "memory" ? GANTRY_DURABILITY_MEMORY
              : store.ack_text == "written" ? GANTRY_DURABILITY_WRITTEN
                                            : GANTRY_DURABILITY_DURABLE;
  if (store.plugin.empty()) problems.add(value_place(from, "plugin"), "plugin: found an empty name, wanted the name of a store plugin");
}

void Document::State::read_auth() {
  has_auth = find_top(tree, "auth") != nullptr;
  const Section &from = section("auth");
  TypedValues values = read_keys(from, auth_keys(), problems, tree.whole);
  auth.plugin = values["plugin"].text;
  auth.audit = values["audit"].text;
  if (auth.plugin.empty()) problems.add(value_place(from, "plugin"), "plugin: found an empty name, wanted the name of an access-control plugin");
}

// Those that [broker] names, in its order, each with its section where there is one; then those that only have a section.
void Document::State::read_filters() {
  std::vector<FilterSettings> own;
  if (TopLevel *top = find_top(tree, "filter")) {
    for (std::size_t i = 0; i < top->sections.size(); ++i) {
      FilterSettings settings{read_keys(top->sections[i], filter_keys(), problems, tree.whole)["plugin"].text, static_cast<std::int32_t>(i)};
      if (settings.plugin.empty()) continue;
      const auto same = [&](const FilterSettings &f) { return f.plugin == settings.plugin; };
      if (std::any_of(own.begin(), own.end(), same))
        problems.add(value_place(top->sections[i], "plugin"), "plugin: \"" + settings.plugin + "\" has a [[filter]] already", "one [[filter]] for each plugin");
      else
        own.push_back(std::move(settings));
    }
  }
  for (const std::string &plugin : broker.filters) {
    const auto at = std::find_if(own.begin(), own.end(), [&](const FilterSettings &f) { return f.plugin == plugin; });
    filters.push_back(at != own.end() ? *at : FilterSettings{plugin, -1});
    if (at != own.end()) own.erase(at);
  }
  filters.insert(filters.end(), own.begin(), own.end());
}

const Section &Document::State::filter(std::size_t index) {
  const std::int32_t at = filters[index].section;
  return at < 0 ? absent : find_top(tree, "filter")->sections[static_cast<std::size_t>(at)];
}

void Document::State::check_tls(const Section &section, const ProtocolSettings &out, bool mode_given) {
  if (out.tls_cert.empty() != out.tls_key.empty()) {
    const bool has_cert = !out.tls_cert.empty();
    problems.add(value_place(section, has_cert ? "tls_cert" : "tls_key"),
                 std::string(has_cert ? "tls_cert is given without tls_key" : "tls_key is given without tls_cert"), "give both files, or neither");
  } else if (mode_given && out.tls != TlsMode::kOff && out.tls_cert.empty()) {
    problems.add(value_place(section, "tls"), "tls is \"" + section.find("tls")->value.text + "\" without a certificate", "give tls_cert and tls_key");
  }
}

void Document::State::read_protocol(const Section &section) {
  TypedValues values = read_keys(section, protocol_keys(), problems, tree.whole);
  ProtocolSettings out;
  out.plugin = values["plugin"].text;
  out.component = values["component"].text;
  out.name = section_name(section, "protocol");
  out.listen = values["listen"].text;
  out.tls_cert = values["tls_cert"].text;
  out.tls_key = values["tls_key"].text;
  const std::string &mode = values["tls"].text;
  out.tls = mode == "required" ? TlsMode::kRequired
            : mode == "optional" || (mode.empty() && !out.tls_cert.empty()) ? TlsMode::kOptional
                                                                             : TlsMode::kOff;
  const auto connections = static_cast<std::uint32_t>(values["max_connections"].number);
  out.max_connections = connections == 0 ? UINT32_MAX : connections;
  out.idle_timeout_ms = values["idle_timeout"].number;
  check_tls(section, out, !mode.empty());
  const std::string &auth_mode = values["auth"].text;
  out.open = auth_mode == "none";
  if (auth_mode == "required" && !has_auth)
    problems.add(value_place(section, "auth"), "auth is \"required\", but there is no section [auth]", "add [auth] with plugin = \"auth-acl\" and file");
  if (section.find("listen") != nullptr && !out.listen.empty()) {
    if (const std::string fault = listen_fault(out.listen); !fault.empty()) {
      problems.add(value_place(section, "listen"), "listen: " + fault, "such as \"127.0.0.1:10911\"");
      out.listen.clear();
    }
  } else if (section.find("listen") != nullptr && section.find("listen")->value.kind == ValueKind::kText) {
    problems.add(value_place(section, "listen"), "listen: found an empty address", "such as \"127.0.0.1:10911\"");
  }
  protocols.push_back(std::move(out));
}

void Document::State::check_listens() {
  for (std::size_t i = 0; i < protocols.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (protocols[i].listen.empty() || protocols[k].listen.empty() || !listens_clash(protocols[i].listen, protocols[k].listen)) continue;
      problems.add(value_place(protocol(i), "listen"),
                   "listen: \"" + protocols[i].listen + "\" clashes with \"" + protocols[k].listen + "\" of [[protocol]] number " + std::to_string(k),
                   "give each [[protocol]] a port of its own");
      break;
    }
  }
}

void Document::State::read_protocols() {
  if (TopLevel *top = find_top(tree, "protocol"))
    for (const Section &each : top->sections) read_protocol(each);
  check_listens();
}

void Document::State::check_whole() {
  if (!tree.whole) return;
  const Place start{tree.source, 0, 0, 1};
  if (protocols.empty()) {
    problems.add(start, "there is no [[protocol]], so nothing would be served", "add [[protocol]] with plugin = \"protocol-remoting\" and listen");
    return;
  }
  const auto serving = std::find_if(protocols.begin(), protocols.end(), [](const ProtocolSettings &p) { return p.component != kNameServer; });
  if (serving != protocols.end() && !has_store)
    problems.add(protocol(static_cast<std::size_t>(serving - protocols.begin())).place,
                 "[[protocol]] \"" + serving->name + "\" serves messages, but there is no [store]", "add [store]; all its keys have defaults");
  if (serving == protocols.end() && has_store)
    problems.add(section("store").place, "[store] has no use: no [[protocol]] but name servers", "remove [store], or add the broker's [[protocol]]");
}

std::shared_ptr<const gantry_config> Document::State::bind(const Section &from, std::span<const gantry_config_key> kernel_keys,
                                                           const gantry_component &component, bool in_data_dir) {
  const std::span<const gantry_config_key> own(component.keys, component.n_keys);
  report_unknown_keys(from, kernel_keys, own, problems);
  auto bound = std::make_shared<BoundConfig>(std::string("component ") + component.name);
  for (auto &[key, value] : read_keys(from, own, problems, tree.whole, kernel_keys)) {
    // A process that keeps data has one place for it.
    if (in_data_dir && key == "data_dir" && from.find(key) == nullptr) value.text = broker.data_dir;
    bound->set(key, std::move(value));
  }
  return BoundConfig::abi(std::move(bound));
}

Document::Document(std::unique_ptr<State> state) : state_(std::move(state)) {}
Document::~Document() = default;
Document::Document(Document &&) noexcept = default;
Document &Document::operator=(Document &&) noexcept = default;

Document Document::parse(std::string_view text, std::string origin, const std::vector<Override> &overrides) {
  auto state = std::make_unique<State>();
  state->tree = read_toml(text, std::move(origin), state->problems);
  normalize_sections(state->tree, state->problems);
  apply_overrides(state->tree, overrides, state->problems);
  state->absent.place.source = state->tree.source;
  state->read_broker();
  state->read_store();
  state->read_auth();
  state->read_filters();
  state->read_protocols();
  state->check_whole();
  return Document(std::move(state));
}

Result<Document> Document::parse_file(const std::string &path, const std::vector<Override> &overrides) {
  auto text = read_text(path);
  if (!text) return std::move(text.error());
  return parse(*text, path, overrides);
}

bool Document::ok() const { return state_->problems.all().empty(); }
const std::vector<Problem> &Document::problems() const { return state_->problems.all(); }
const BrokerSettings &Document::broker() const { return state_->broker; }
bool Document::has_store() const { return state_->has_store; }
const StoreSettings &Document::store() const { return state_->store; }
bool Document::has_auth() const { return state_->has_auth; }
const AuthSettings &Document::auth() const { return state_->auth; }
const std::vector<ProtocolSettings> &Document::protocols() const { return state_->protocols; }
const std::vector<FilterSettings> &Document::filters() const { return state_->filters; }

std::shared_ptr<const gantry_config> Document::bind_store(const gantry_component &component) {
  return state_->bind(state_->section("store"), store_keys(), component);
}

std::shared_ptr<const gantry_config> Document::bind_auth(const gantry_component &component) {
  return state_->bind(state_->section("auth"), auth_keys(), component);
}

void Document::check_exposure() {
  if (state_->has_auth) return;
  for (std::size_t i = 0; i < state_->protocols.size(); ++i) {
    const ProtocolSettings &protocol = state_->protocols[i];
    if (protocol.open || protocol.listen.empty() || is_loopback(protocol.listen)) continue;
    state_->problems.add(State::value_place(state_->protocol(i), "listen"),
                         "listen: \"" + protocol.listen + "\" can be reached from other machines, and there is no access control: whoever reaches it could do everything",
                         "add [auth] with plugin = \"auth-acl\" and file = \"acl.toml\", which makes an administrator with a secret of its own; or listen on 127.0.0.1; or, where everyone who reaches it may do "
                         "everything, say so with auth = \"none\" in this [[protocol]]");
  }
}

std::shared_ptr<const gantry_config> Document::bind_protocol(std::size_t index, const gantry_component &component) {
  return state_->bind(state_->protocol(index), protocol_keys(), component, state_->has_store || state_->section("broker").find("data_dir") != nullptr);
}

std::shared_ptr<const gantry_config> Document::bind_filter(std::size_t index, const gantry_component &component) {
  GANTRY_ASSERT(index < state_->filters.size());
  return state_->bind(state_->filter(index), filter_keys(), component);
}

std::shared_ptr<const gantry_config> Document::bind_defaults(const gantry_component &component) { return state_->bind(state_->absent, {}, component); }

void Document::report_broker(std::string_view key, std::string message, std::string help) {
  const Section &section = state_->section("broker");
  state_->problems.add(State::value_place(section, key), std::move(message), std::move(help));
}

void Document::report_filter(std::size_t index, std::string message) {
  GANTRY_ASSERT(index < state_->filters.size());
  const bool own = state_->filters[index].section >= 0;
  const Section &section = own ? state_->filter(index) : state_->section("broker");
  state_->problems.add(State::value_place(section, own ? "plugin" : "filters"), std::move(message));
}

void Document::report_store(std::string_view key, std::string message, std::string help) {
  const Section &section = state_->section("store");
  state_->problems.add(State::value_place(section, key), std::move(message), std::move(help));
}

void Document::report_auth(std::string_view key, std::string message, std::string help) {
  const Section &section = state_->section("auth");
  state_->problems.add(State::value_place(section, key), std::move(message), std::move(help));
}

void Document::report_protocol(std::size_t index, std::string_view key, std::string message, std::string help) {
  const Section &section = state_->protocol(index);
  state_->problems.add(State::value_place(section, key), std::move(message), std::move(help));
}

}  // namespace gantry::config
