// Namespaces of keys and values that administrators put into the name server. kv_file.hpp keeps them over restarts.
#pragma once

#include "nameserver/limits.hpp"

#include <gantry++/result.hpp>

#include <map>
#include <string>
#include <string_view>

namespace gantry::remoting::nameserver {

// Settings of ordered topics: topic -> "broker-a:4;broker-b:4".
inline constexpr std::string_view kOrderNamespace = "ORDER_TOPIC_CONFIG";

class KvStore {
 public:
  // INVALID: name or value cannot be kept. LIMIT: full.
  [[nodiscard]] Result<void> put(std::string_view space, std::string_view key, std::string_view value);
  // NULL when absent. Valid until the next change.
  [[nodiscard]] const std::string *get(std::string_view space, std::string_view key) const;
  void remove(std::string_view space, std::string_view key);
  // Makes an empty namespace, unless it is there.
  [[nodiscard]] Result<void> add_space(std::string_view space);
  // KVConfigSerializeWrapper of everything: {"configTable":{...}}.
  [[nodiscard]] std::string whole_json() const;
  // KVTable of the namespace, "" when it never existed.
  [[nodiscard]] std::string table_json(std::string_view space) const;

 private:
  using Table = std::map<std::string, std::string, std::less<>>;
  std::map<std::string, Table, std::less<>> spaces_;
  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;  // of names and values; a namespace counts once
};

}  // namespace gantry::remoting::nameserver
