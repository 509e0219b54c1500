#include "kernel/broker/filter/select.hpp"

#include "kernel/broker/filter/columns.hpp"
#include "kernel/broker/record/record.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::broker {

namespace {

// Of one batch and of one turn, in FilterColumns::work. A three-term filter on messages with 200 bytes of properties has 1,300 per message.
constexpr std::uint64_t kBatchWorkMax = 1u << 21;
constexpr std::uint64_t kWorkMax = 1u << 23;
constexpr std::uint32_t kAheadHeaders = 12, kAheadProperties = 6;  // asked for so many records before they are looked at

FilterColumns &columns_of_thread() {
  thread_local const std::unique_ptr<FilterColumns> columns = std::make_unique<FilterColumns>();
  return *columns;
}

// The fields of a record's header that say where its parts are.
void prefetch_header(const gantry_record &record) {
  __builtin_prefetch(record.bytes.p);
  __builtin_prefetch(record.bytes.p + kFixedBytesIpv4);
}

// What these fields lead to, if both hosts are IPv4 addresses; else it is asked for when it is needed.
void prefetch_properties(const gantry_record &record) {
  if (record.bytes.n < kFixedBytesIpv4) return;
  const std::uint64_t at = std::uint64_t{kFixedBytesIpv4} + load_be32(record.bytes.p + kFixedBytesIpv4 - 4);
  if (at < record.bytes.n) __builtin_prefetch(record.bytes.p + at);
}

}  // namespace

void select(const FilterProgram &program, std::uint32_t shard, const gantry_read_result &read, std::uint32_t max_records, std::uint32_t max_bytes, Selected *out) {
  FilterColumns &columns = columns_of_thread();
  columns.begin(program);
  out->records.clear();
  out->next_off = read.next_off;
  out->looked_at = 0;
  out->stopped = out->over_budget = false;
  std::uint64_t work = 0, bytes = 0;
  for (std::uint32_t i = 0; i < std::min(read.n, kAheadHeaders); ++i) prefetch_header(read.records[i]);
  while (out->looked_at < read.n && work < kWorkMax) {
    const std::uint32_t first = out->looked_at;
    std::uint32_t n = 0;
    while (n < GANTRY_FILTER_BATCH_MAX && first + n < read.n && (n == 0 || columns.work() < kBatchWorkMax)) {
      const std::uint32_t at = first + n++;
      if (at + kAheadHeaders < read.n) prefetch_header(read.records[at + kAheadHeaders]);
      if (at + kAheadProperties < read.n) prefetch_properties(read.records[at + kAheadProperties]);
      columns.add(view(read.records[at].bytes));
    }
    work += columns.work();
    const Evaluated found = columns.eval(shard);
    for (std::uint32_t i = 0; i < found.looked_at; ++i) {
      const gantry_record &record = read.records[first + i];
      if ((found.match >> i & 1) != 0) {
        const bool full = out->records.size() == max_records || (!out->records.empty() && bytes + record.bytes.n > max_bytes);
        if (full) {
          out->stopped = true;
          break;
        }
        out->records.push_back(record);
        bytes += record.bytes.n;
      }
      ++out->looked_at;
    }
    out->over_budget = !out->stopped && found.looked_at < n;
    if (out->stopped || out->over_budget) break;
  }
  out->stopped = out->looked_at < read.n;
  if (out->stopped) out->next_off = read.records[out->looked_at].queue_off;
  program.learn(out->looked_at, static_cast<std::uint32_t>(out->records.size()));
}

}  // namespace gantry::broker
