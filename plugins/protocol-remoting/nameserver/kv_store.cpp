#include "nameserver/kv_store.hpp"

#include "json/writer.hpp"
#include "nameserver/names.hpp"

namespace gantry::remoting::nameserver {

namespace {

Error full(const std::string &of_what) { return Error{GANTRY_E_LIMIT, "name server is full: it holds at most " + of_what}; }

Result<void> check_name(std::string_view name) {
  if (is_name(name)) return {};
  return Error{GANTRY_E_INVALID, "namespace and key must be 1.." + std::to_string(kMaxNameBytes) + " bytes without blanks"};
}

}  // namespace

Result<void> KvStore::add_space(std::string_view space) {
  GANTRY_TRY(check_name(space));
  if (spaces_.contains(space)) return {};
  if (spaces_.size() >= kMaxKvNamespaces) return full(std::to_string(kMaxKvNamespaces) + " namespaces");
  if (bytes_ + space.size() > kMaxKvBytes) return full(std::to_string(kMaxKvBytes) + " bytes");
  spaces_.emplace(space, Table{});
  bytes_ += space.size();
  return {};
}

Result<void> KvStore::put(std::string_view space, std::string_view key, std::string_view value) {
  GANTRY_TRY(check_name(key));
  if (value.size() > kMaxKvValueBytes) return Error{GANTRY_E_LIMIT, "value is longer than " + std::to_string(kMaxKvValueBytes) + " bytes"};
  GANTRY_TRY(add_space(space));
  Table &table = spaces_.find(space)->second;
  const auto at = table.find(key);
  const std::size_t fresh = at == table.end() ? key.size() + value.size() : value.size(), old = at == table.end() ? 0 : at->second.size();
  if (at == table.end() && entries_ >= kMaxKvEntries) return full(std::to_string(kMaxKvEntries) + " values");
  if (bytes_ - old + fresh > kMaxKvBytes) return full(std::to_string(kMaxKvBytes) + " bytes");
  bytes_ += fresh - old;
  entries_ += at == table.end() ? 1 : 0;
  table.insert_or_assign(std::string(key), std::string(value));
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
  bytes_ -= at->first.size() + at->second.size();
  table->second.erase(at);
  --entries_;
}

std::string KvStore::whole_json() const {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("configTable").begin_object();
  for (const auto &[space, table] : spaces_) {
    w.key(space).begin_object();
    for (const auto &[key, value] : table) w.member(key, value);
    w.end_object();
  }
  w.end_object().end_object();
  return out;
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
