#include "kernel/broker/filter/select.hpp"

#include "kernel/broker/filter/columns.hpp"

#include <gantry++/str.hpp>

namespace gantry::broker {

namespace {

// Of one batch and of one turn, in FilterColumns::work. A three-term filter on messages with 200 bytes of properties has 1,300 per message.
constexpr std::uint64_t kBatchWorkMax = 1u << 21;
constexpr std::uint64_t kWorkMax = 1u << 23;

FilterColumns &columns_of_thread() {
  thread_local const std::unique_ptr<FilterColumns> columns = std::make_unique<FilterColumns>();
  return *columns;
}

}  // namespace

void select(const FilterProgram &program, std::uint32_t shard, const gantry_read_result &read, std::uint32_t max_records, std::uint32_t max_bytes, Selected *out) {
  FilterColumns &columns = columns_of_thread();
  columns.begin(program);
  out->records.clear();
  out->next_off = read.next_off;
  out->looked_at = 0;
  out->stopped = false;
  std::uint64_t work = 0, bytes = 0;
  while (out->looked_at < read.n && work < kWorkMax) {
    const std::uint32_t first = out->looked_at;
    std::uint32_t n = 0;
    while (n < GANTRY_FILTER_BATCH_MAX && first + n < read.n && (n == 0 || columns.work() < kBatchWorkMax)) columns.add(view(read.records[first + n++].bytes));
    work += columns.work();
    const std::uint64_t match = columns.eval(shard);
    for (std::uint32_t i = 0; i < n; ++i) {
      const gantry_record &record = read.records[first + i];
      if ((match >> i & 1) != 0) {
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
    if (out->stopped) break;
  }
  out->stopped = out->looked_at < read.n;
  if (out->stopped) out->next_off = read.records[out->looked_at].queue_off;
  program.learn(out->looked_at, static_cast<std::uint32_t>(out->records.size()));
}

}  // namespace gantry::broker
