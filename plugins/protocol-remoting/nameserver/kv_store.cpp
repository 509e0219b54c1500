#include "nameserver/kv_store.hpp"

#include "json/writer.hpp"
#include "nameserver/names.hpp"

namespace gantry::remoting::nameserver {

Result<void> KvStore::put(std::string_view space, std::string_view key, std::string_view value) {
  if (!is_name(space) || !is_name(key)) {
    return Error{GANTRY_E_INVALID, "namespace and key must be 1.." + std::to_string(kMaxNameBytes) + " bytes without blanks"};
  }
  if (value.size() > kMaxKvValueBytes) {
    return Error{GANTRY_E_LIMIT, "value is longer than " + std::to_string(kMaxKvValueBytes) + " bytes"};
  }
  auto table = spaces_.find(space);
  if (table == spaces_.end()) {
    if (spaces_.size() >= kMaxKvNamespaces) return Error{GANTRY_E_LIMIT, "name server is full: it holds at most " + std::to_string(kMaxKvNamespaces) + " namespaces"};
    table = spaces_.emplace(space, Table{}).first;
  }
  const auto at = table->second.find(key);
  if (at != table->second.end()) {
    at->second = value;
    return {};
  }
  if (entries_ >= kMaxKvEntries) return Error{GANTRY_E_LIMIT, "name server is full: it holds at most " + std::to_string(kMaxKvEntries) + " values"};
  table->second.emplace(key, value);
  ++entries_;
  return {};
}

const std::string *KvStore::get(std::string_view space, std::string_view key) const {
  const auto table = spaces_.find(space);
  if (table == spaces_.end()) return nullptr;
  const auto at = table->second.find(key);
  return at != table->second.end() ? &at->second : nullptr;
}

void KvStore::remove(std::string_view space, std::string_view key) {
  const auto table = spaces_.find(space);
  if (table == spaces_.end()) return;
  const auto at = table->second.find(key);
  if (at == table->second.end()) return;
  table->second.erase(at);
  --entries_;
}

std::string KvStore::table_json(std::string_view space) const {
  const auto table = spaces_.find(space);
  if (table == spaces_.end()) return {};
  std::string out;
  json::Writer w(out);
  w.begin_object().key("table").begin_object();
  for (const auto &[key, value] : table->second) w.member(key, value);
  w.end_object().end_object();
  return out;
}

}  // namespace gantry::remoting::nameserver
