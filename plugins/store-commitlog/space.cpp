#include "space.hpp"

#include "run_file.hpp"
#include "segment_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace gantry::commitlog {

namespace {
constexpr std::int64_t kKeepFreeShare = 16;       // at most so much of the disk is kept free
constexpr std::int64_t kSampleMs = 5000, kWindowMs = 600'000, kShortestMs = 1000;
constexpr std::int64_t kListEveryMs = 10'000;
constexpr std::size_t kPartsPerLook = 256 * 1024, kPartsPerLock = 2048;
constexpr std::size_t kTopicsTold = 3;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kWarnAtMs[] = {24 * kHourMs, kHourMs};  // and forgotten at twice as much
}  // namespace

std::string bytes_text(std::int64_t bytes) {
  static constexpr const char *kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string time_text(std::int64_t ms) {
  const std::int64_t minutes = ms / 60'000;
  if (minutes < 1) return std::to_string(ms / 1000) + " s";
  if (minutes < 60) return std::to_string(minutes) + " min";
  if (minutes < 48 * 60) return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
  return std::to_string(minutes / (24 * 60)) + " days";
}

std::int64_t Space::keep_free() const { return std::min(core_.options.keep_free_bytes, disk_.total / kKeepFreeShare); }

void Space::look() {
  measure();
  count_topics();
  forecast();
}

void Space::measure() {
  DiskSpace disk;
  if (core_.files->space(core_.data_dir, &disk) == 0) disk_ = disk;
  const std::int64_t now_ms = core_.host.now_ms();
  if (now_ms >= next_list_ms_) {
    next_list_ms_ = now_ms + kListEveryMs;
    reusable_bytes_ = static_cast<std::int64_t>(reusable_segments(core_)) * core_.options.segment_bytes;
  }
  const std::lock_guard lock(core_.space.mutex);
  core_.space.disk = disk_;
}

Result<void> Space::may_take(std::int64_t bytes, bool for_rows) const {
  DiskSpace disk;  // now: it is what decides
  if (core_.files->space(core_.data_dir, &disk) != 0 || disk.total == 0) return {};  // allocating will tell
  const std::int64_t floor = std::min(core_.options.keep_free_bytes, disk.total / kKeepFreeShare) / (for_rows ? 2 : 1);
  if (disk.free - bytes >= floor) return {};
  return Error{GANTRY_E_NO_SPACE, "a log file of " + bytes_text(bytes) + " does not fit in " + core_.log_dir + ": " + bytes_text(disk.free) + " of " + bytes_text(disk.total) +
                                      " are free, of which " + bytes_text(floor) + " stay free for indexes, checkpoints and consumer offsets", ENOSPC};
}

// ---- who fills it

void Space::count_topics() {
  std::vector<std::pair<std::uint32_t, std::shared_ptr<RunFile>>> fresh;
  std::uint32_t oldest;
  {
    const std::lock_guard lock(core_.mutex);
    oldest = core_.segments.live.front()->no;
    for (auto at = core_.segments.live.rbegin(); at != core_.segments.live.rend(); ++at) {  // the newest say most about what goes on
      if ((*at)->run != nullptr && !counted_.contains((*at)->no)) fresh.emplace_back((*at)->no, (*at)->run);
    }
  }
  const auto add = [this](const std::vector<TopicShare> &shares, bool gone) {
    for (const TopicShare &share : shares) {
      std::uint64_t &bytes = by_topic_[share.topic];
      bytes = gone ? bytes - share.bytes : bytes + share.bytes;
      if (bytes == 0) by_topic_.erase(share.topic);
    }
  };
  for (auto at = counted_.begin(); at != counted_.end();) {
    if (at->first >= oldest) {
      ++at;
      continue;
    }
    add(at->second, true);
    at = counted_.erase(at);
  }
  std::size_t parts = 0;
  for (const auto &[no, run] : fresh) {
    if (parts > kPartsPerLook) break;  // the rest next time
    parts += run->index().parts().size();
    std::vector<TopicShare> shares = shares_of(*run);
    add(shares, false);
    counted_.emplace(no, std::move(shares));
  }
}

std::vector<Space::TopicShare> Space::shares_of(const RunFile &run) const {
  const std::span<const PartRow> parts = run.index().parts();
  std::uint64_t records = 0;
  for (const PartRow &part : parts) records += part.count;
  const double usual = records == 0 ? 0 : static_cast<double>(run.footer().segment_bytes) / static_cast<double>(records);
  std::unordered_map<std::uint32_t, std::uint64_t> sums;
  for (std::size_t at = 0; at < parts.size(); at += kPartsPerLock) {
    const std::lock_guard lock(core_.mutex);
    for (const PartRow &part : parts.subspan(at, std::min(kPartsPerLock, parts.size() - at))) {
      const QueueState *queue = core_.queues.get(part.queue);
      sums[queue != nullptr ? queue->topic : kDeletedTopic] += part.bytes() != 0 ? part.bytes() : static_cast<std::uint64_t>(usual * part.count);
    }
  }
  std::vector<TopicShare> out;
  for (const auto &[topic, bytes] : sums) out.push_back({topic, bytes});
  return out;
}

std::string Space::biggest_topics() const {
  std::vector<TopicShare> all;
  std::uint64_t sum = 0;
  for (const auto &[topic, bytes] : by_topic_) {
    all.push_back({topic, bytes});
    sum += bytes;
  }
  std::sort(all.begin(), all.end(), [](const TopicShare &a, const TopicShare &b) { return a.bytes > b.bytes; });
  std::string text;
  const std::lock_guard lock(core_.mutex);
  for (std::size_t i = 0; i < std::min(all.size(), kTopicsTold); ++i) {
    const std::string name = all[i].topic == kDeletedTopic ? "deleted topics" : core_.queues.topic_name(all[i].topic);
    text += (text.empty() ? "" : ", ") + name + " " + std::to_string(all[i].bytes * 100 / std::max<std::uint64_t>(sum, 1)) + "%";
  }
  return text;
}

void Space::explain(const Error &why, const std::string &remedy) {
  measure();
  count_topics();  // a disk may fill up between two looks
  const std::string topics = biggest_topics();
  std::string text = why.code == GANTRY_E_NO_SPACE ? "the broker's disk is full: " + bytes_text(disk_.free) + " of " + bytes_text(disk_.total) + " are free in " + core_.data_dir + ", " + bytes_text(keep_free()) + " of them kept for consumer offsets"
                          : "the broker cannot make log files: " + why.text;
  if (!topics.empty()) text += "; most of the log is " + topics;
  text += "; " + (remedy.empty() ? std::string() : remedy + "; ") + "free space there, delete topics or lower [store] retention, sending goes on by itself then";
  const std::lock_guard lock(core_.space.mutex);
  core_.space.refusal = std::move(text);
}

// ---- when it will be full

void Space::forecast() {
  const std::int64_t now_ms = core_.host.now_ms();
  LogPos pos;
  {
    const std::lock_guard lock(core_.mutex);
    pos = core_.writer.taken_pos();
  }
  if (samples_.empty() || now_ms - samples_.back().ms >= kSampleMs) samples_.push_back({now_ms, pos});
  while (samples_.size() > 2 && now_ms - samples_[1].ms >= kWindowMs) samples_.pop_front();
  const std::int64_t span_ms = now_ms - samples_.front().ms;
  const std::uint64_t rate = span_ms < kShortestMs ? 0 : static_cast<std::uint64_t>(static_cast<double>(pos - samples_.front().pos) * 1000 / static_cast<double>(span_ms));
  const std::int64_t left_ms = rate == 0 ? 0 : full_in_ms(rate);
  {
    const std::lock_guard lock(core_.space.mutex);
    core_.space.write_bytes_per_s = rate;
    core_.space.full_in_ms = left_ms;
  }
  warn_of(left_ms);
}

// What retention frees meanwhile counts: files that get old before the disk is full make room for as much.
std::int64_t Space::full_in_ms(std::uint64_t bytes_per_s) const {
  const Options &options = core_.options;
  const auto rate = static_cast<double>(bytes_per_s) / 1000;
  const std::lock_guard lock(core_.mutex);
  auto room = static_cast<double>(std::max<std::int64_t>(0, disk_.free - keep_free()) + reusable_bytes_ + (core_.segments.active().end() - core_.writer.taken_pos()));
  std::int64_t log_bytes = 0;
  for (const SegmentRef &segment : core_.segments.ready) room += static_cast<double>(segment->for_rows ? 0 : segment->bytes);
  for (const SegmentRef &segment : core_.segments.live) log_bytes += segment->bytes;
  const bool held = core_.held_from.v != INT64_MAX;
  // A file more than retention_bytes is being filled, and one or more wait for their turn.
  if (options.retention_bytes > 0 && !held && static_cast<double>(options.retention_bytes + 2 * options.segment_bytes - log_bytes) <= room) return 0;
  if (options.retention_ms == 0) return std::max<std::int64_t>(1, static_cast<std::int64_t>(room / rate));
  const std::int64_t wall_ms = core_.host.wall_ms();
  for (const SegmentRef &segment : core_.segments.live) {
    if (!segment->sealed || segment->end() > core_.held_from) break;
    const auto old_in_ms = static_cast<double>(std::max<std::int64_t>(0, segment->last_store_ms + options.retention_ms - wall_ms));
    if (room / rate < old_in_ms) return std::max<std::int64_t>(1, static_cast<std::int64_t>(room / rate));
    room += static_cast<double>(segment->bytes);
  }
  const double full = room / rate;
  return full < static_cast<double>(options.retention_ms) || held ? std::max<std::int64_t>(1, static_cast<std::int64_t>(full)) : 0;
}

void Space::warn_of(std::int64_t full_in_ms) {
  const auto far = [&](int stage, std::int64_t times) { return full_in_ms == 0 || full_in_ms > times * kWarnAtMs[stage]; };
  while (warned_ > 0 && far(warned_ - 1, 2)) --warned_;
  const int before = warned_;
  while (warned_ < static_cast<int>(std::size(kWarnAtMs)) && !far(warned_, 1)) ++warned_;
  if (warned_ == before) return;
  std::uint64_t rate;
  {
    const std::lock_guard lock(core_.space.mutex);
    rate = core_.space.write_bytes_per_s;
  }
  const std::string topics = biggest_topics();
  core_.log(GANTRY_LOG_WARN, "the disk of " + core_.data_dir + " is full in " + time_text(full_in_ms) + " at the present rate of " + bytes_text(static_cast<std::int64_t>(rate)) + "/s: " +
                                 bytes_text(disk_.free) + " of " + bytes_text(disk_.total) + " are free" + (topics.empty() ? "" : "; most of the log is " + topics) +
                                 "; free space, lower [store] retention or set disk_full (now " + core_.options.disk_full + ")");
}

}  // namespace gantry::commitlog
