#include "ledger.h"

#include <algorithm>

namespace gantry::test {

namespace {
std::string name(const QueueName &queue, std::int64_t offset) { return queue.first + "/" + std::to_string(queue.second) + " offset " + std::to_string(offset); }
}  // namespace

std::optional<Contents> contents_of(StoreInstance &store, std::string *why) {
  Contents out;
  if (!store.sink_faults().empty()) {
    *why = store.sink_faults();
    return std::nullopt;
  }
  out.rows = store.recovered_meta();
  for (const auto &[queue_name, recovered] : store.recovered_queues()) {
    Contents::Queue &queue = out.queues[queue_name];
    const gantry_queue_stat stat = store.stat(recovered.queue);
    queue.min_off = stat.min_off;
    queue.max_off = stat.max_off;
    if (stat.min_off > stat.max_off) *why = "min_off is beyond max_off in " + queue_name.first;
    for (std::int64_t at = stat.min_off; at < stat.max_off;) {
      std::int32_t status = GANTRY_OK;
      const ReadResult got = store.read(recovered.queue, at, 256, &status);
      if (status != GANTRY_OK) {
        *why = "a read of " + name(queue_name, at) + " failed with code " + std::to_string(status);
        return std::nullopt;
      }
      std::int64_t next = at;
      for (std::size_t i = 0; i < got->n; ++i) {
        const gantry_record &record = got->records[i];
        if (record.queue_off < next || record.queue_off >= stat.max_off) *why = "offsets out of order in " + name(queue_name, record.queue_off);
        for (; next < record.queue_off; ++next) queue.bad.insert(next);
        queue.records[record.queue_off] = {record.phys_pos, got.bytes(i)};
        next = record.queue_off + 1;
      }
      for (; next < got->next_off; ++next) queue.bad.insert(next);
      if (got->next_off <= at) *why = "a read made no progress at " + name(queue_name, at) + ": stop " + std::to_string(got->stop) + ", " + std::to_string(got->n) + " records, next " + std::to_string(got->next_off) + ", queue " + std::to_string(stat.min_off) + ".." + std::to_string(stat.max_off);
      if (!why->empty()) return std::nullopt;
      at = got->next_off;
    }
  }
  out.bad_records = store.stats().bad_records_total;
  return out;
}

std::string difference(const Contents &a, const Contents &b) {
  if (a.rows != b.rows) return "meta rows differ";
  for (const auto *one : {&a, &b}) {
    const Contents &other = one == &a ? b : a;
    for (const auto &[queue, content] : one->queues) {
      if (!other.queues.contains(queue)) return "queue " + queue.first + " is there only once";
    }
  }
  for (const auto &[queue, content] : a.queues) {
    const Contents::Queue &other = b.queues.at(queue);
    if (content.min_off != other.min_off || content.max_off != other.max_off) {
      return "queue " + queue.first + " has offsets " + std::to_string(content.min_off) + ".." + std::to_string(content.max_off) + ", then " +
             std::to_string(other.min_off) + ".." + std::to_string(other.max_off);
    }
    if (content.bad != other.bad) return "queue " + queue.first + " has other damaged places";
    if (content.records != other.records) return "queue " + queue.first + " has other records";
  }
  return "";
}

std::string Asked::expected(std::int64_t pos) const {
  std::string whole = with_fixes(message.bytes, offset, pos, message.store_ms);
  return borrowed.empty() ? whole : whole.insert(kRecordHeadBytes, borrowed);
}

namespace {

// Position of the log file of that name; -1 when it is none.
std::int64_t file_base(const std::string &path) {
  constexpr std::string_view kFolder = "commitlog/";
  if (!path.starts_with(kFolder) || path.size() != kFolder.size() + 20) return -1;
  const std::string digits = path.substr(kFolder.size());
  return digits.find_first_not_of("0123456789") == std::string::npos ? std::stoll(digits) : -1;
}

// Where the log begins behind the files that were dropped before event `end`: the store goes on from there, whatever was last seen of it.
std::int64_t end_of_dropped(const std::vector<Event> &events, std::size_t end) {
  std::set<std::int64_t> bases;
  for (const Event &event : events)
    if (event.kind == EventKind::kRename) bases.insert(file_base(event.to));
  std::int64_t begin = -1;
  for (std::size_t i = 0; i < end; ++i) {
    const Event &event = events[i];
    const bool dropped = event.kind == EventKind::kRemove || (event.kind == EventKind::kRename && event.to.find("/recycled-") != std::string::npos);
    if (const std::int64_t base = dropped ? file_base(event.path) : -1; base >= 0)
      if (const auto next = bases.upper_bound(base); next != bases.end()) begin = std::max(begin, *next);
  }
  return begin;
}

}  // namespace

Promise Ledger::promised(const Trace &trace, std::size_t end, bool power_cut) const {
  Promise out;
  std::set<std::int64_t> acknowledged;
  std::int64_t durable_to = -1;
  const auto &events = trace.events();
  for (std::size_t i = 0; i < end; ++i) {
    const Event &event = events[i];
    if (event.kind != EventKind::kNote) continue;
    if (event.note == Note::kLogBegin) {
      out.log_begin = event.value;
    } else if (event.note == Note::kSyncAck) {
      durable_to = std::max(durable_to, event.value);
    } else {
      acknowledged.insert(event.value);
      // What is flushed is flushed with all that came before.
      if (asked[static_cast<std::size_t>(event.value)].durability == GANTRY_DURABILITY_DURABLE) durable_to = std::max(durable_to, event.value);
    }
  }
  for (const std::int64_t seq : acknowledged) {
    if ((!power_cut || seq <= durable_to) && !asked[static_cast<std::size_t>(seq)].cut) out.kept.insert(seq);
  }
  // The log's beginning is looked at from time to time only: it may be where it was seen next.
  for (std::size_t i = end; i < events.size(); ++i) {
    if (events[i].kind != EventKind::kNote || events[i].note != Note::kLogBegin) continue;
    out.log_begin = events[i].value;
    break;
  }
  out.log_begin = std::max(out.log_begin, end_of_dropped(events, end));
  return out;
}

std::string Ledger::check(const Contents &contents, const Promise &promise, bool exact) const {
  if (exact && contents.bad_records > 0) return std::to_string(contents.bad_records) + " records are counted as damaged, and nothing is";
  std::int64_t first = -1, last = static_cast<std::int64_t>(asked.size());
  if (std::string why = check_records(contents, promise, exact, &first, &last); !why.empty()) return why;
  return check_rows(contents, promise, exact, first, last);
}

std::string Ledger::check_records(const Contents &contents, const Promise &promise, bool exact, std::int64_t *first, std::int64_t *last) const {
  std::map<QueueName, std::set<std::int64_t>> known;
  for (const Asked &one : asked) {
    if (one.what != Asked::What::kRecord || one.cut) continue;
    known[one.queue].insert(one.offset);
    const auto queue = contents.queues.find(one.queue);
    const bool promised = promise.kept.contains(one.seq);
    const bool may_have_expired = one.phys_pos >= 0 && one.phys_pos < promise.log_begin;
    const auto record = queue == contents.queues.end() ? decltype(queue->second.records.end()){} : queue->second.records.find(one.offset);
    const bool there = queue != contents.queues.end() && record != queue->second.records.end();
    if (!there) {
      if (may_have_expired) continue;
      if (promised) {
        return "lost: " + name(one.queue, one.offset) + " at position " + std::to_string(one.phys_pos) + ", request " + std::to_string(one.seq) + ", was acknowledged" +
               (queue != contents.queues.end() && queue->second.bad.contains(one.offset) ? " and is damaged" : "");
      }
      *last = std::min(*last, one.seq);
      continue;
    }
    const auto &[pos, bytes] = record->second;
    if (one.phys_pos >= 0 && pos != one.phys_pos) return name(one.queue, one.offset) + " has moved";
    if (bytes != one.expected(pos)) {
      std::string why = name(one.queue, one.offset) + " has other bytes than were sent with request " + std::to_string(one.seq) + (one.borrowed.empty() ? "" : ", a reference");
      const std::string want = one.expected(pos);
      const auto differs = std::mismatch(want.begin(), want.end(), bytes.begin(), bytes.end()).first - want.begin();
      why += ", position " + std::to_string(pos) + ", " + std::to_string(bytes.size()) + " bytes, not " + std::to_string(want.size()) + ", from " + std::to_string(differs) + " on";
      for (const Asked &other : asked) {
        if (other.what == Asked::What::kRecord && other.offset >= 0 && bytes == other.expected(pos)) why += ", those of request " + std::to_string(other.seq) + ", " + name(other.queue, other.offset);
      }
      return why;
    }
    *first = std::max(*first, one.seq);
  }
  for (const auto &[queue, content] : contents.queues) {
    for (const auto &[offset, record] : content.records) {
      if (!known[queue].contains(offset)) return name(queue, offset) + " was never sent";
    }
    if (exact && !content.bad.empty()) return name(queue, *content.bad.begin()) + " is damaged, and nothing touched it";
  }
  if (exact && *first > *last) return "request " + std::to_string(*first) + " is there and the earlier " + std::to_string(*last) + " is not";
  return "";
}

std::string Ledger::check_rows(const Contents &contents, const Promise &promise, bool exact, std::int64_t first, std::int64_t last) const {
  std::int64_t must = -1;  // the last promised row
  for (const std::int64_t seq : promise.kept) {
    if (asked[static_cast<std::size_t>(seq)].what != Asked::What::kRecord) must = std::max(must, seq);
  }
  if (exact) {
    // The rows after some request between what is surely there and what is surely not.
    std::map<std::string, std::string> rows;
    bool match = std::max(first, must) < 0 && contents.rows.empty();
    for (const Asked &one : asked) {
      if (one.seq >= last && one.seq > must) break;
      if (one.what == Asked::What::kPut) rows[one.key] = one.value;
      if (one.what == Asked::What::kDelete) rows.erase(one.key);
      match |= one.seq >= std::max(first, must) && rows == contents.rows;
    }
    return match ? "" : "meta rows are not those after any request from " + std::to_string(std::max(first, must)) + " to " + std::to_string(last);
  }
  // Each row is as some request made it, not one before the last promised of its key.
  std::map<std::string, std::int64_t> promised_at;
  for (const Asked &one : asked) {
    if (one.what != Asked::What::kRecord && promise.kept.contains(one.seq)) promised_at[one.key] = one.seq;
  }
  std::map<std::string, bool> fits;
  for (const auto &[key, value] : contents.rows) fits[key] = false;
  for (const auto &[key, seq] : promised_at) fits[key] = false;
  for (const Asked &one : asked) {
    if (one.what == Asked::What::kRecord) continue;
    const auto least = promised_at.find(one.key);
    if (least != promised_at.end() && one.seq < least->second) continue;
    const auto row = contents.rows.find(one.key);
    if (one.what == Asked::What::kPut ? row != contents.rows.end() && row->second == one.value : row == contents.rows.end()) fits[one.key] = true;
  }
  for (const auto &[key, good] : fits) {
    if (!good) return "meta row " + key + (contents.rows.contains(key) ? " is as it never should be any more: " + contents.rows.at(key) : " is lost");
  }
  return "";
}

}  // namespace gantry::test
