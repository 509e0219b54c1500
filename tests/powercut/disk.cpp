#include "disk.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace gantry::test::powercut {

namespace {
constexpr std::uint64_t kUnit = 4096;

std::uint64_t room_of(std::size_t bytes) { return (bytes + kUnit - 1) / kUnit * kUnit; }

std::int64_t now_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

void apply_change(std::vector<std::uint8_t> *bytes, const FileChange &change) {
  const auto at = static_cast<std::size_t>(change.size);
  switch (change.kind) {
    case FileChange::kTruncate: bytes->resize(at); return;
    case FileChange::kAllocate: bytes->resize(std::max(bytes->size(), at)); return;
    case FileChange::kWrite:
      bytes->resize(std::max(bytes->size(), at + change.data.size()));
      std::copy(change.data.begin(), change.data.end(), bytes->begin() + static_cast<std::ptrdiff_t>(at));
      return;
  }
}

Disk::Disk(std::uint64_t size) : size_(size) {
  auto root = std::make_shared<Node>();
  root->id = kRoot;
  root->folder = true;
  root->mode = 0755;
  root->names = 1;
  root->changed_ms = now_ms();
  nodes_[kRoot] = root;
}

void Disk::resize(std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  size_ = size;
}

std::uint64_t Disk::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

std::uint64_t Disk::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

NodeRef Disk::get(std::uint64_t id) const {
  const auto at = nodes_.find(id);
  return at == nodes_.end() ? nullptr : at->second;
}

NodeRef Disk::get_folder(std::uint64_t id, int *rc) const {
  NodeRef node = get(id);
  *rc = node == nullptr ? -ESTALE : node->folder ? 0 : -ENOTDIR;
  return *rc == 0 ? node : nullptr;
}

NodeRef Disk::get_file(std::uint64_t id, int *rc) const {
  NodeRef node = get(id);
  *rc = node == nullptr ? -ESTALE : node->folder ? -EISDIR : 0;
  return *rc == 0 ? node : nullptr;
}

Disk::Status Disk::status_of(const Node &node) const { return {node.id, node.folder, node.mode, static_cast<std::int64_t>(node.shown.size()), node.changed_ms}; }

std::string Disk::path_locked(const Node &node) const {
  if (node.id == kRoot) return "";
  const NodeRef parent = get(node.parent);
  return (parent != nullptr ? path_locked(*parent) : std::string()) + "/" + node.name;
}

std::string Disk::path_of(std::uint64_t id, const std::string &name) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = get(id);
  std::string path = node != nullptr ? path_locked(*node) : std::string();
  if (!name.empty()) path += "/" + name;
  return path;
}

int Disk::find(std::uint64_t folder, const std::string &name, bool remember, Status *out) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef in = get_folder(folder, &rc);
  if (in == nullptr) return rc;
  const auto at = in->entries.find(name);
  if (at == in->entries.end()) return -ENOENT;
  if (remember) ++at->second->lookups;
  *out = status_of(*at->second);
  return 0;
}

int Disk::status(std::uint64_t id, Status *out) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = get(id);
  if (node == nullptr) return -ESTALE;
  *out = status_of(*node);
  return 0;
}

void Disk::forget(std::uint64_t id, std::uint64_t lookups) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = get(id);
  if (node == nullptr || id == kRoot) return;
  node->lookups -= std::min(node->lookups, lookups);
  drop_if_unused(node);
}

void Disk::drop_if_unused(const NodeRef &node) {
  if (node->names > 0 || node->lookups > 0) return;
  used_ -= room_of(node->shown.size());
  nodes_.erase(node->id);
}

int Disk::list(std::uint64_t folder, std::vector<std::pair<std::string, Status>> *out) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef in = get_folder(folder, &rc);
  if (in == nullptr) return rc;
  for (const auto &[name, node] : in->entries) out->emplace_back(name, status_of(*node));
  return 0;
}

int Disk::make(std::uint64_t folder, const std::string &name, bool is_folder, std::uint32_t mode, Status *out) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef in = get_folder(folder, &rc);
  if (in == nullptr) return rc;
  if (in->entries.contains(name)) return -EEXIST;
  auto node = std::make_shared<Node>();
  node->id = next_id_++;
  node->folder = is_folder;
  node->mode = mode;
  node->changed_ms = now_ms();
  node->lookups = node->names = 1;
  node->parent = folder;
  node->name = name;
  nodes_[node->id] = node;
  in->entries[name] = node;
  name_changes_.push_back({node, nullptr, in, {}, name});
  *out = status_of(*node);
  return 0;
}

int Disk::remove(std::uint64_t folder, const std::string &name, bool is_folder) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef in = get_folder(folder, &rc);
  if (in == nullptr) return rc;
  const auto at = in->entries.find(name);
  if (at == in->entries.end()) return -ENOENT;
  const NodeRef node = at->second;
  if (is_folder && !node->folder) return -ENOTDIR;
  if (!is_folder && node->folder) return -EISDIR;
  if (!node->entries.empty()) return -ENOTEMPTY;
  in->entries.erase(at);
  name_changes_.push_back({node, in, nullptr, name, {}});
  --node->names;
  drop_if_unused(node);
  return 0;
}

int Disk::rename(std::uint64_t from, const std::string &from_name, std::uint64_t to, const std::string &to_name, bool replace) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef source = get_folder(from, &rc);
  if (source == nullptr) return rc;
  const NodeRef target = get_folder(to, &rc);
  if (target == nullptr) return rc;
  const auto at = source->entries.find(from_name);
  if (at == source->entries.end()) return -ENOENT;
  const NodeRef node = at->second;
  const auto there = target->entries.find(to_name);
  if (there != target->entries.end()) {
    const NodeRef old = there->second;
    if (old == node) return 0;
    if (!replace) return -EEXIST;
    if (old->folder != node->folder) return old->folder ? -EISDIR : -ENOTDIR;
    if (!old->entries.empty()) return -ENOTEMPTY;
    --old->names;
    drop_if_unused(old);
  }
  source->entries.erase(from_name);
  target->entries[to_name] = node;
  node->parent = to;
  node->name = to_name;
  name_changes_.push_back({node, source, target, from_name, to_name});
  return 0;
}

bool Disk::fits(const Node &node, std::int64_t bytes) const {
  const std::uint64_t now = room_of(node.shown.size()), then = room_of(static_cast<std::size_t>(bytes));
  return size_ == 0 || then <= now || used_ + (then - now) <= size_;
}

void Disk::set_size(Node &node, std::int64_t bytes) {
  used_ -= room_of(node.shown.size());
  used_ += room_of(static_cast<std::size_t>(bytes));
  node.shown.resize(static_cast<std::size_t>(bytes));
  node.changed_ms = now_ms();
}

std::int64_t Disk::read(std::uint64_t id, std::int64_t offset, std::size_t bytes, std::vector<std::uint8_t> *out) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef node = get_file(id, &rc);
  if (node == nullptr) return rc;
  const std::size_t begin = std::min(static_cast<std::size_t>(offset), node->shown.size()), n = std::min(bytes, node->shown.size() - begin);
  const auto *from = node->shown.data() + begin;
  out->assign(from, from + n);
  return static_cast<std::int64_t>(n);
}

std::int64_t Disk::write(std::uint64_t id, std::int64_t offset, const std::uint8_t *data, std::size_t bytes, std::uint64_t *change) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef node = get_file(id, &rc);
  if (node == nullptr) return rc;
  const std::int64_t end = std::max(offset + static_cast<std::int64_t>(bytes), static_cast<std::int64_t>(node->shown.size()));
  if (!fits(*node, end)) return -ENOSPC;
  set_size(*node, end);
  std::memcpy(node->shown.data() + offset, data, bytes);
  *change = next_change_++;
  node->open.push_back({FileChange::kWrite, false, *change, offset, {data, data + bytes}});
  return static_cast<std::int64_t>(bytes);
}

int Disk::truncate(std::uint64_t id, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef node = get_file(id, &rc);
  if (node == nullptr) return rc;
  if (!fits(*node, bytes)) return -ENOSPC;
  set_size(*node, bytes);
  node->open.push_back({FileChange::kTruncate, false, next_change_++, bytes, {}});
  return 0;
}

int Disk::allocate(std::uint64_t id, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef node = get_file(id, &rc);
  if (node == nullptr) return rc;
  const std::int64_t end = std::max(bytes, static_cast<std::int64_t>(node->shown.size()));
  if (!fits(*node, end)) return -ENOSPC;
  set_size(*node, end);
  node->open.push_back({FileChange::kAllocate, false, next_change_++, bytes, {}});
  return 0;
}

std::uint64_t Disk::begin_flush() const {
  const std::lock_guard lock(mutex_);
  return next_change_;
}

int Disk::flush(std::uint64_t id, std::uint64_t begun) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = get(id);
  if (node == nullptr) return -ESTALE;
  for (FileChange &change : node->open) change.durable |= change.no < begun;
  settle_front(*node);
  return 0;
}

int Disk::flush_write(std::uint64_t id, std::uint64_t change) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = get(id);
  if (node == nullptr) return -ESTALE;
  for (FileChange &each : node->open) each.durable |= each.no == change;
  settle_front(*node);
  return 0;
}

// Changes are applied in order: a flushed one waits behind one that is not.
void Disk::settle_front(Node &node) {
  while (!node.open.empty() && node.open.front().durable) {
    apply_change(&node.kept, node.open.front());
    node.open.pop_front();
  }
}

int Disk::fail_flush(std::uint64_t id, std::uint64_t begun) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = get(id);
  if (node == nullptr) return -ESTALE;
  std::erase_if(node->open, [&](const FileChange &change) { return !change.durable && change.no < begun; });
  settle_front(*node);
  node->flush_failed = true;
  return 0;
}

void Disk::show_what_failed_flushes_left() {
  const std::lock_guard lock(mutex_);
  for (const auto &[id, node] : nodes_) {
    if (!node->flush_failed) continue;
    used_ -= room_of(node->shown.size());
    node->shown = node->kept;
    for (const FileChange &change : node->open) apply_change(&node->shown, change);
    used_ += room_of(node->shown.size());
    node->flush_failed = false;
  }
}

void Disk::apply_names(const NameChange &change) {
  if (change.from != nullptr) {
    const auto at = change.from->kept_entries.find(change.from_name);
    if (at != change.from->kept_entries.end() && at->second == change.node) change.from->kept_entries.erase(at);
  }
  if (change.to != nullptr) change.to->kept_entries[change.to_name] = change.node;
}

void Disk::flush_names_up_to(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) apply_names(name_changes_[i]);
  name_changes_.erase(name_changes_.begin(), name_changes_.begin() + static_cast<std::ptrdiff_t>(count));
}

int Disk::flush_names(std::uint64_t folder) {
  const std::lock_guard lock(mutex_);
  int rc = 0;
  const NodeRef in = get_folder(folder, &rc);
  if (in == nullptr) return rc;
  // One that has two folders takes all before it with it: what happened in the other one before must not be done after it.
  for (std::size_t i = name_changes_.size(); i > 0; --i) {
    const NameChange &change = name_changes_[i - 1];
    if (change.from == nullptr || change.to == nullptr || change.from == change.to || (change.from != in && change.to != in)) continue;
    flush_names_up_to(i);
    break;
  }
  std::vector<NameChange> left;
  for (NameChange &change : name_changes_) {
    if (change.from == in || change.to == in) {
      apply_names(change);
    } else {
      left.push_back(std::move(change));
    }
  }
  name_changes_ = std::move(left);
  return 0;
}

}  // namespace gantry::test::powercut
