#include "kernel/config/section_reader.hpp"

#include "kernel/base/suggest.hpp"
#include "kernel/config/keys.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace gantry::config {
namespace {

const gantry_config_key *find_key(std::span<const gantry_config_key> keys, std::string_view name) {
  for (const gantry_config_key &key : keys)
    if (key.name == name) return &key;
  return nullptr;
}

TypedValue default_value(const Section &section, const gantry_config_key &key, std::span<const gantry_config_key> fallbacks, Problems &problems) {
  gantry_config_key chosen = key;
  if (const gantry_config_key *own = find_key(fallbacks, key.name)) chosen.default_text = own->default_text;
  Converted out = default_of(chosen);
  if (out.value) return std::move(*out.value);
  problems.add(section.place, out.fault.message, out.fault.help);
  return TypedValue{key.type, 0, {}, {}};
}

std::string home_of(std::string_view name) {
  if (find_key(broker_keys(), name) != nullptr) return "[broker]";
  if (name != "plugin" && find_key(store_keys(), name) != nullptr) return "[store]";
  if (name != "plugin" && find_key(auth_keys(), name) != nullptr) return "[auth]";
  if (name != "plugin" && find_key(protocol_keys(), name) != nullptr) return "[[protocol]]";
  return {};
}

}  // namespace

TypedValues read_keys(const Section &section, std::span<const gantry_config_key> keys, Problems &problems, bool report_missing,
                      std::span<const gantry_config_key> fallbacks) {
  TypedValues out;
  for (const gantry_config_key &key : keys) {
    const Entry *entry = section.find(key.name);
    if (entry == nullptr) {
      if ((key.flags & GANTRY_KEY_REQUIRED) != 0) {
        if (report_missing) problems.add(section.place, section.title + " lacks the key \"" + key.name + "\"", key.doc == nullptr ? "" : key.doc);
        out.insert_or_assign(key.name, TypedValue{key.type, 0, {}, {}});
      } else {
        out.insert_or_assign(key.name, default_value(section, key, fallbacks, problems));
      }
      continue;
    }
    Converted converted = convert(entry->value, key);
    if (!converted.value) {
      problems.add(entry->value.place, converted.fault.message, converted.fault.help, (key.flags & GANTRY_KEY_SECRET) != 0);
      converted.value = default_value(section, key, fallbacks, problems);
    }
    out.insert_or_assign(key.name, std::move(*converted.value));
  }
  return out;
}

void report_unknown_keys(const Section &section, std::span<const gantry_config_key> kernel_keys, std::span<const gantry_config_key> component_keys,
                         Problems &problems) {
  std::vector<std::string_view> names;
  for (const gantry_config_key &key : component_keys) names.emplace_back(key.name);
  for (const gantry_config_key &key : kernel_keys) names.emplace_back(key.name);
  for (const Entry &entry : section.entries) {
    if (std::find(names.begin(), names.end(), entry.key) != names.end()) continue;
    std::string help;
    const std::string meant = nearest(entry.key, names);
    if (!meant.empty())
      help = "did you mean \"" + meant + "\"?";
    else if (const std::string home = home_of(entry.key); !home.empty())
      help = "\"" + entry.key + "\" is a key of " + home;
    // A misspelt password still has the password behind it.
    const gantry_config_key *likely = find_key(component_keys, meant);
    const bool secret = likely != nullptr && (likely->flags & GANTRY_KEY_SECRET) != 0;
    problems.add(entry.place, "unknown key \"" + entry.key + "\" in " + section.title, help, secret);
  }
}

std::string listen_fault(std::string_view listen) {
  const std::string found = "found \"" + std::string(listen) + "\", wanted \"host:port\", \"[ipv6]:port\" or \":port\"";
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string_view::npos) return found;
  std::uint32_t port = 0;
  const std::string_view digits = listen.substr(colon + 1);
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failed != std::errc{} || end != digits.data() + digits.size() || port > 65535)
    return "found the port \"" + std::string(digits) + "\", wanted 0 to 65535";
  const std::string_view host = listen.substr(0, colon);
  if (host.starts_with('[')) {
    in6_addr address;
    const std::string inside = host.size() > 2 && host.ends_with(']') ? std::string(host.substr(1, host.size() - 2)) : "";
    if (::inet_pton(AF_INET6, inside.substr(0, inside.find('%')).c_str(), &address) != 1) return found;
    return {};
  }
  if (host.find(':') != std::string_view::npos) return found + "; an IPv6 address stands in brackets";
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
  return plain ? std::string() : found;
}

HostPort split_listen(std::string_view listen) {
  const std::size_t colon = listen.rfind(':');
  HostPort out{std::string(listen.substr(0, colon)), 0};
  (void)std::from_chars(listen.data() + colon + 1, listen.data() + listen.size(), out.port);
  return out;
}

bool is_loopback(std::string_view listen) {
  const std::string host = split_listen(listen).host;
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  // A name that only begins like an address is no address.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

bool listens_clash(std::string_view a, std::string_view b) {
  const HostPort one = split_listen(a), other = split_listen(b);
  if (one.port != other.port || one.port == 0) return false;
  if (one.host == other.host || one.host.empty() || other.host.empty()) return true;
  // A wildcard takes the port of every address of its family; a name might be of either.
  const auto v6 = [](const std::string &host) { return host.starts_with('['); };
  const auto wildcard = [](const std::string &host) { return host == "0.0.0.0" || host == "[::]"; };
  return v6(one.host) == v6(other.host) && (wildcard(one.host) || wildcard(other.host));
}

}  // namespace gantry::config
