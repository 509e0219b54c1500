// Price of an append in CPU time: records of 1 KiB in batches of 64 through the plugin's C table, as the kernel calls it.
// Prints ns per record for the calling thread inside append, for its whole turn (submit, reap, acknowledge), and for all threads.
// Not a test. Arguments in any order: number of records (default 2000000), written (default) or durable, keys=N per record (default 1), key=value settings of the store.
#include "support/fake_config.h"
#include "support/fake_host.h"
#include "support/plugin_loader.h"
#include "support/store_instance.h"
#include "support/test_util.h"

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace gantry::test;

std::int64_t cpu_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

constexpr std::uint32_t kBatch = 64, kQueues = 16, kBodyBytes = 1024, kHeadBytes = 91, kTailBytes = 80;

struct Batch {
  std::vector<std::uint8_t> head, body, tail;
  std::vector<gantry_span> spans;
  std::vector<gantry_link> links;
  std::vector<gantry_append> requests;
  std::vector<std::uint64_t> keys;

  Batch(const std::vector<gantry_queue> &queues, std::uint32_t n_keys)
      : head(kHeadBytes, 1), body(std::size_t{kBatch} * kBodyBytes, 7), tail(kTailBytes, 3), spans(kBatch * 3), links(kBatch), requests(kBatch), keys(n_keys, 1) {
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      spans[3 * i] = {head.data(), kHeadBytes, 0, nullptr};
      spans[3 * i + 1] = {body.data() + std::size_t{i} * kBodyBytes, kBodyBytes, 0, nullptr};
      spans[3 * i + 2] = {tail.data(), kTailBytes, 0, nullptr};
      links[i] = {queues[i % queues.size()], 2112};
      gantry_append &r = requests[i];
      std::memset(&r, 0, sizeof r);
      r.spans = &spans[3 * i];
      r.n_spans = 3;
      r.links = &links[i];
      r.n_links = 1;
      r.key_hashes = keys.data();
      r.n_keys = n_keys;
      r.bytes = kHeadBytes + kBodyBytes + kTailBytes;
      r.fix_queue_off = 20;
      r.fix_phys_off = 28;
      r.fix_store_ms = 56;
      r.store_ms = 1700000000000;
    }
  }
};

struct Counter {
  std::uint64_t done = 0, failed = 0;
  static void ready(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
    auto *counter = static_cast<Counter *>(self);
    counter->done += n;
    for (std::uint32_t i = 0; i < n; ++i) counter->failed += cqes[i].status != GANTRY_OK ? 1 : 0;
  }
};

}  // namespace

int main(int argc, char **argv) {
  const char *plugin = std::getenv("GANTRY_STORE_PLUGIN");
  require(plugin != nullptr, "set GANTRY_STORE_PLUGIN to the plugin's .so");
  std::uint64_t total = 2000000;
  std::uint32_t n_keys = 1;
  std::uint32_t level = GANTRY_DURABILITY_WRITTEN;
  ConfigTexts texts;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "written") level = GANTRY_DURABILITY_WRITTEN;
    else if (arg == "durable") level = GANTRY_DURABILITY_DURABLE;
    else if (arg.starts_with("keys=")) n_keys = static_cast<std::uint32_t>(std::strtoul(argv[i] + 5, nullptr, 10));
    else if (const auto eq = arg.find('='); eq != std::string::npos) texts[arg.substr(0, eq)] = arg.substr(eq + 1);
    else total = std::strtoull(argv[i], nullptr, 10);
  }
  const TempDir dir;
  FakeHost host;
  StoreInstance store(host, component_of(load_plugin(plugin), GANTRY_STORE_ID), texts);
  require(store.open(dir.str(), level) == GANTRY_OK, store.error().text);
  std::vector<gantry_queue> queues;
  for (std::uint32_t q = 0; q < kQueues; ++q) queues.push_back(store.queue("bench", q));
  Batch batch(queues, n_keys);
  Counter counter;
  const auto *cq_table = static_cast<const gantry_cq_v1 *>(host.abi()->query(host.abi(), GANTRY_CQ_ID));
  const gantry_cq cq = cq_table->create(host.abi(), 0, Counter::ready, &counter);

  std::uint64_t accepted = 0, again = 0;
  std::int64_t in_append = 0;
  const std::int64_t wall = cpu_ns(CLOCK_MONOTONIC), thread = cpu_ns(CLOCK_THREAD_CPUTIME_ID), process = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
  while (accepted < total) {
    const std::int64_t before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    const std::int32_t rc = store.table().append(store.self(), 0, batch.requests.data(), kBatch, cq);
    in_append += cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    if (rc > 0) accepted += static_cast<std::uint64_t>(rc);
    else ++again;
    host.turn(rc > 0 ? 0 : 1);
    while (accepted - counter.done > 4 * kBatch) host.turn(1);  // a closed loop, as clients are
  }
  while (counter.done < accepted) host.turn(1);
  const std::int64_t wall_end = cpu_ns(CLOCK_MONOTONIC), thread_end = cpu_ns(CLOCK_THREAD_CPUTIME_ID), process_end = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
  const gantry_store_stats stats = store.stats();
  const auto each = [&](std::int64_t ns) { return static_cast<double>(ns) / static_cast<double>(accepted); };
  std::printf("%s\n", stats.engine);
  std::printf("%llu records, %.0f/s, failed %llu, again %llu, %.1f records per write, %.3f bytes written per record byte\n",
              static_cast<unsigned long long>(accepted), static_cast<double>(accepted) * 1e9 / static_cast<double>(wall_end - wall),
              static_cast<unsigned long long>(counter.failed), static_cast<unsigned long long>(again),
              static_cast<double>(accepted) / static_cast<double>(stats.writes_total),
              static_cast<double>(stats.bytes_written_total) / static_cast<double>(accepted * (kHeadBytes + kBodyBytes + kTailBytes)));
  std::printf("ns per record: %.0f in append, %.0f shard thread, %.0f all threads\n", each(in_append), each(thread_end - thread), each(process_end - process));
  cq_table->close(host.abi(), cq);
  return counter.failed == 0 ? 0 : 1;
}
