// What a loss of power leaves.
#include "disk.hpp"

#include <algorithm>

namespace gantry::test::powercut {

// How likely which fate is in one cut, in percent: some cuts lose nearly all, some nearly nothing.
struct Mood {
  unsigned keep, drop, tear;
};

namespace {
constexpr Mood kMoods[] = {{0, 100, 0}, {100, 0, 0}, {34, 33, 33}, {10, 10, 80}, {80, 10, 10}, {10, 80, 10}};

enum class Fate { kKeep, kDrop, kTear };

Fate fate_of(std::mt19937_64 &random, const Mood &mood) {
  const auto at = static_cast<unsigned>(random() % 100);
  return at < mood.keep ? Fate::kKeep : at < mood.keep + mood.drop ? Fate::kDrop : Fate::kTear;
}

// Parts of a write reach the disk: its front, its back, or any of its sectors or blocks. Returns in words which.
std::string tear(std::vector<std::uint8_t> *file, const FileChange &change, std::mt19937_64 &random) {
  const std::size_t unit = random() % 2 == 0 ? 512 : 4096, begin = static_cast<std::size_t>(change.size), end = begin + change.data.size();
  const std::uint64_t shape = random() % 3;
  const std::size_t first = begin / unit, last = (end + unit - 1) / unit, middle = first + random() % (last - first + 1);
  // The size may be there without the bytes.
  if (random() % 2 == 0) file->resize(std::max(file->size(), end));
  std::size_t there = 0;
  for (std::size_t i = first; i < last; ++i) {
    const bool kept = shape == 0 ? i < middle : shape == 1 ? i >= middle : random() % 2 == 0;
    if (!kept) continue;
    const std::size_t from = std::max(begin, i * unit), to = std::min(end, (i + 1) * unit);
    file->resize(std::max(file->size(), to));
    std::copy_n(change.data.begin() + static_cast<std::ptrdiff_t>(from - begin), to - from, file->begin() + static_cast<std::ptrdiff_t>(from));
    ++there;
  }
  static constexpr const char *kShapes[] = {"the front", "the back", "some"};
  return std::to_string(there) + " of " + std::to_string(last - first) + " pieces of " + std::to_string(unit) + " bytes, " + kShapes[shape];
}
}  // namespace

void Disk::cut_file(Node &node, std::mt19937_64 &random, const Mood &mood, CutReport *report) {
  static constexpr const char *kKinds[] = {"write", "truncation", "allocation"};
  for (const FileChange &change : node.open) {
    const bool is_write = change.kind == FileChange::kWrite;
    Fate fate = change.durable ? Fate::kKeep : fate_of(random, mood);
    if (!is_write && fate == Fate::kTear) fate = random() % 2 == 0 ? Fate::kKeep : Fate::kDrop;
    std::string line = path_locked(node) + ": " + kKinds[change.kind] + " at " + std::to_string(change.size) + (is_write ? " of " + std::to_string(change.data.size()) : "") + " ";
    switch (fate) {
      case Fate::kKeep:
        apply_change(&node.kept, change);
        line += change.durable ? "flushed" : "kept";
        report->kept += change.durable ? 0 : 1;
        break;
      case Fate::kDrop:
        line += "dropped";
        ++report->dropped;
        break;
      case Fate::kTear:
        line += "torn: " + tear(&node.kept, change, random);
        ++report->torn;
        break;
    }
    report->lines.push_back(std::move(line));
  }
  node.open.clear();
}

// Those too that no call can reach any more, while the disk still has them or may get them.
std::map<std::uint64_t, NodeRef> Disk::all_nodes() const {
  std::map<std::uint64_t, NodeRef> all = nodes_;
  std::vector<NodeRef> look_into;
  for (const auto &[id, node] : nodes_) look_into.push_back(node);
  for (const NameChange &change : name_changes_) {
    for (const NodeRef &node : {change.node, change.from, change.to}) {
      if (node != nullptr && all.emplace(node->id, node).second) look_into.push_back(node);
    }
  }
  while (!look_into.empty()) {
    const NodeRef node = look_into.back();
    look_into.pop_back();
    for (const auto &[name, child] : node->kept_entries) {
      if (all.emplace(child->id, child).second) look_into.push_back(child);
    }
  }
  return all;
}

CutReport Disk::cut(std::mt19937_64 &random) {
  const std::lock_guard lock(mutex_);
  CutReport report;
  const Mood bytes = kMoods[random() % std::size(kMoods)], names = kMoods[random() % std::size(kMoods)];
  for (const auto &[id, node] : all_nodes()) cut_file(*node, random, bytes, &report);
  for (const NameChange &change : name_changes_) {
    Fate fate = fate_of(random, names);
    if (fate == Fate::kTear) fate = random() % 2 == 0 ? Fate::kKeep : Fate::kDrop;
    if (fate == Fate::kKeep) apply_names(change);
    ++(fate == Fate::kKeep ? report.names_kept : report.names_dropped);
    const auto place = [&](const NodeRef &folder, const std::string &name) { return folder == nullptr ? std::string("nowhere") : path_locked(*folder) + "/" + name; };
    report.lines.push_back("name from " + place(change.from, change.from_name) + " to " + place(change.to, change.to_name) + (fate == Fate::kKeep ? " kept" : " dropped"));
  }
  name_changes_.clear();
  const NodeRef root = nodes_.at(kRoot);
  nodes_.clear();
  used_ = 0;
  adopt(root);
  return report;
}

// A node that the disk has, with all below it. What a change of names left in two places becomes two files.
void Disk::adopt(const NodeRef &node) {
  if (node->id != kRoot) {
    node->id = next_id_++;
    node->lookups = 0;
    node->names = 1;
  }
  node->open.clear();
  node->flush_failed = false;
  node->shown = node->kept;
  used_ += (node->shown.size() + 4095) / 4096 * 4096;
  nodes_[node->id] = node;
  for (auto &[name, child] : node->kept_entries) {
    if (nodes_.contains(child->id) && nodes_.at(child->id) == child) child = std::make_shared<Node>(*child);
    child->parent = node->id;
    child->name = name;
    adopt(child);
  }
  node->entries = node->kept_entries;
}

}  // namespace gantry::test::powercut
