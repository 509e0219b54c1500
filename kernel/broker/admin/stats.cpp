#include "kernel/broker/admin/stats.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace gantry::broker {

namespace {

// RocketMQ's numbers of samples: a minute of 10 s, an hour of 10 min, a day of 1 h, both ends included.
constexpr std::size_t kMinute = 7, kHour = 7, kDay = 25;
constexpr std::int64_t kHourStepMs = 600'000, kDayStepMs = 3'600'000;
constexpr std::size_t kTenMinutes = 61;

std::int64_t read(const std::atomic<std::uint64_t> &counter) { return static_cast<std::int64_t>(counter.load(std::memory_order_relaxed)); }

std::int64_t local_day(std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return local.tm_year * std::int64_t{366} + local.tm_yday;
}

}  // namespace

void Samples::push(Window &window, std::size_t keep, const Reading &reading) {
  if (window.size() == keep) window.erase(window.begin());
  window.push_back(reading);
}

void Samples::take(std::int64_t now_ms, const Traffic &traffic) {
  const Reading reading{now_ms, read(traffic.messages), read(traffic.bytes)};
  push(minute_, kMinute, reading);
  if (hour_.empty() || now_ms - hour_.back().ms >= kHourStepMs) push(hour_, kHour, reading);
  if (day_.empty() || now_ms - day_.back().ms >= kDayStepMs) push(day_, kDay, reading);
}

gantry_stat_span Samples::span_of(const Window &window) {
  if (window.size() < 2) return {};
  const Reading &first = window.front(), &last = window.back();
  return {last.messages - first.messages, last.bytes - first.bytes, last.ms - first.ms};
}

void Samples::fill(gantry_stat *out) const {
  out->minute = span_of(minute_);
  out->hour = span_of(hour_);
  out->day = span_of(day_);
}

std::shared_ptr<Stats::Item> Stats::gets(gantry_group group, gantry_topic topic) {
  std::shared_ptr<Item> &item = gets_[Key{group, topic}];
  if (item == nullptr) item = std::make_shared<Item>();
  return item;
}

const Stats::Item *Stats::find_gets(gantry_group group, gantry_topic topic) const {
  const auto it = gets_.find(Key{group, topic});
  return it == gets_.end() ? nullptr : it->second.get();
}

void Stats::forget(gantry_group group, gantry_topic topic) {
  std::erase_if(gets_, [&](const auto &entry) { return (group == 0 || entry.first.group == group) && (topic == 0 || entry.first.topic == topic); });
}

void Stats::take(std::int64_t now_ms, std::int64_t wall_ms) {
  for (auto &[key, item] : gets_) item->samples.take(now_ms, item->traffic);
  put.samples.take(now_ms, put.traffic);
  get.samples.take(now_ms, get.traffic);
  if (readings_.size() == kTenMinutes) readings_.pop_front();
  readings_.push_back({now_ms, read(put.traffic.messages), read(get.traffic.messages)});
  const std::int64_t day = local_day(wall_ms);
  if (day_ != 0 && day != day_) {
    put_yesterday_ = std::exchange(put_today_, readings_.back().put);
    get_yesterday_ = std::exchange(get_today_, readings_.back().get);
  }
  day_ = day;
}

void Stats::fill(gantry_broker_runtime *out) const {
  out->put_messages = read(put.traffic.messages);
  out->put_bytes = read(put.traffic.bytes);
  out->get_messages = read(get.traffic.messages);
  out->put_yesterday_morning = put_yesterday_;
  out->put_today_morning = put_today_;
  out->get_yesterday_morning = get_yesterday_;
  out->get_today_morning = get_today_;
  constexpr std::size_t kSteps[] = {1, 6, 60};
  for (int i = 0; i < 3; ++i) {
    if (readings_.size() < 2) continue;
    const Reading &last = readings_.back(), &first = readings_[readings_.size() - 1 - std::min(kSteps[i], readings_.size() - 1)];
    const double seconds = static_cast<double>(last.ms - first.ms) / 1000;
    if (seconds <= 0) continue;
    out->put_per_s[i] = static_cast<double>(last.put - first.put) / seconds;
    out->get_per_s[i] = static_cast<double>(last.get - first.get) / seconds;
  }
}

}  // namespace gantry::broker
