#include "fixture.h"

#include "support/plugin_loader.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace gantry::test {

Suite &suite() {
  static Suite instance;
  return instance;
}

bool parse_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto after = [&](const char *prefix) { return arg.substr(std::string_view(prefix).size()); };
    if (arg.starts_with("--plugin=")) {
      suite().plugin = after("--plugin=");
    } else if (arg == "--strongest=memory") {
      suite().strongest = GANTRY_DURABILITY_MEMORY;
    } else if (arg == "--strongest=written") {
      suite().strongest = GANTRY_DURABILITY_WRITTEN;
    } else if (arg == "--strongest=durable") {
      suite().strongest = GANTRY_DURABILITY_DURABLE;
    } else if (arg == "--bases") {
      suite().bases = true;
    } else if (arg.starts_with("--max-record=")) {
      suite().max_record = std::stoull(after("--max-record="));
    } else if (arg.starts_with("--retention=") && arg.find('=', 12) != std::string::npos) {
      const auto equals = arg.find('=', 12);
      suite().retention[arg.substr(12, equals - 12)] = arg.substr(equals + 1);
    } else if (arg.starts_with("--set=") && arg.find('=', 6) != std::string::npos) {
      const auto equals = arg.find('=', 6);
      suite().config[arg.substr(6, equals - 6)] = arg.substr(equals + 1);
    } else {
      std::fprintf(stderr, "unknown argument %s\n", arg.c_str());
      return false;
    }
  }
  if (suite().plugin.empty()) std::fprintf(stderr, "which store? --plugin=<path of the .so> [--strongest=LEVEL] [--max-record=BYTES] [--bases] [--set=key=value ...] [--retention=key=value ...]\n");
  return !suite().plugin.empty();
}

std::unique_ptr<StoreInstance> make_store(FakeHost &host, const ConfigTexts &config) {
  const gantry_component &component = component_of(load_plugin(suite().plugin), GANTRY_STORE_ID);
  return std::make_unique<StoreInstance>(host, component, config);
}

std::uint32_t StoreContract::default_level() { return std::min(suite().strongest, GANTRY_DURABILITY_WRITTEN); }

void StoreContract::SetUp() { start(); }

void StoreContract::TearDown() {
  close();
  if (HasFailure() && host_) {
    for (const std::string &line : host_->log_lines()) std::fprintf(stderr, "  plugin's log: %s\n", line.c_str());
  }
}

void StoreContract::start(std::uint32_t shards, LoopMode mode) {
  close();
  if (host_) {
    host_->stop_shards();
    former_hosts_.push_back(std::move(host_));
  }
  host_ = std::make_unique<FakeHost>(shards, mode);
  host_->start_wall_at(kTestWallMs);
  ConfigTexts config = suite().config;
  if (retention_) {
    for (const auto &[key, value] : suite().retention) config[key] = value;
  }
  store_ = make_store(*host_, config);
  // Nothing in a test makes sense on a store that did not open; an exception ends it there.
  if (store_->open(dir(), default_level()) != GANTRY_OK) throw std::runtime_error(std::string("open failed: ") + store_->error().text);
  EXPECT_EQ(store_->sink_faults(), "");
}

void StoreContract::start_with_retention() {
  close();
  retention_ = true;
  start();
}

void StoreContract::reopen() {
  const std::uint32_t shards = host_->shards();
  const LoopMode mode = host_->mode();
  start(shards, mode);
}

void StoreContract::close() {
  if (!store_) return;
  store_->destroy();
  EXPECT_EQ(host_->leftovers(), 0u) << "timers or watched descriptors outlive the instance";
  store_.reset();
}

bool StoreContract::append_until(gantry_queue queue, const std::function<bool()> &done) {
  std::uint64_t round = 0;
  return host().wait_until(
      [&] {
        if (done()) return true;
        std::vector<Message> more;
        const std::uint64_t n = ++round <= 32 ? 64 : 1;  // a MiB at first
        for (std::uint64_t i = 0; i < n; ++i) more.push_back(message(queue, filled(16000, round * 64 + i)));
        append_all(store(), more, 16);
        return done();
      },
      60'000);
}

std::int32_t StoreContract::try_append(Message &one, gantry_cq cq, std::uint64_t user_data) {
  AppendBatch batch(&one, 1, user_data);
  return try_request(*batch.data(), cq);
}

std::int32_t StoreContract::try_request(const gantry_append &request, gantry_cq cq) {
  std::int32_t rc = 0;
  host_->on_shard(0, [&] { rc = store_->table().append(store_->self(), 0, &request, 1, cq); });
  return rc;
}

gantry_read StoreContract::read_of(gantry_queue queue, std::int64_t offset) {
  gantry_read request{};
  request.user_data = 1;
  request.queue = queue;
  request.offset = offset;
  request.max_records = 1024;
  request.max_bytes = 64u << 20;
  request.flags = GANTRY_READ_ANY_TAG;
  return request;
}

}  // namespace gantry::test
