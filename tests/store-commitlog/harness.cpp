#include "harness.h"

#include "store.hpp"

#include <algorithm>
#include <fstream>

namespace gantry::test {

namespace {

std::shared_ptr<TwinDisk> g_disk;

commitlog::Store &store_of(void *self) { return *static_cast<commitlog::Store *>(self); }

std::int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
  const auto disk = g_disk;
  auto made = commitlog::Store::create(host, config, {disk->files(), [disk]() -> Result<std::unique_ptr<commitlog::IoEngine>> { return disk->engine(); }});
  if (!made) return report(made.error(), err);
  *self = std::move(*made).release();
  return GANTRY_OK;
}

const gantry_store_v1 kTable = {
    [](void *self, const gantry_store_open *args, const gantry_recovery_sink *sink, gantry_error *err) noexcept {
      const auto done = store_of(self).open(*args, *sink);
      return done ? GANTRY_OK : report(done.error(), err);
    },
    [](void *self, gantry_str topic, std::uint32_t no, std::uint32_t kind, gantry_queue *out) noexcept { return store_of(self).queue_open(topic, no, kind, out); },
    [](void *self, std::uint32_t shard, const gantry_append *reqs, std::uint32_t n, gantry_cq cq) noexcept { return store_of(self).append(shard, reqs, n, cq); },
    [](void *self, std::uint32_t shard, const gantry_read *reqs, std::uint32_t n, const gantry_read_result **out, gantry_cq cq) noexcept {
      return store_of(self).read(shard, reqs, n, out, cq);
    },
    [](void *self, std::uint32_t shard, std::int64_t pos, std::uint64_t user_data, const gantry_read_result **out, gantry_cq cq) noexcept {
      return store_of(self).read_at(shard, pos, user_data, out, cq);
    },
    [](void *self, gantry_queue queue, gantry_queue_stat *out) noexcept { return store_of(self).queue_stat(queue, out); },
    [](void *self, std::uint32_t shard, gantry_queue queue, std::int64_t ms, std::uint64_t user_data, gantry_cq cq) noexcept {
      return store_of(self).seek_time(shard, queue, ms, user_data, cq);
    },
    [](void *self, const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) noexcept {
      return store_of(self).meta_write(ops, n, durability, user_data, cq);
    },
    [](void *self, std::uint32_t shard, std::uint64_t user_data, gantry_cq cq) noexcept { return store_of(self).sync(shard, user_data, cq); },
    [](void *self, gantry_queue queue) noexcept { return store_of(self).queue_drop(queue); },
    [](void *self, std::uint32_t shard, const gantry_key_query *query, gantry_cq cq) noexcept { return store_of(self).query_key(shard, *query, cq); },
    [](void *self, std::int64_t pos) noexcept { store_of(self).retain_from(pos); },
    [](void *self, gantry_store_stats *out) noexcept { store_of(self).stats(out); },
    [](void *self, char *out, std::uint32_t bytes) noexcept { return store_of(self).refusal(out, bytes); },
};

gantry_component make_component() {
  gantry_component c{};
  c.size = sizeof c;
  c.interface_id = GANTRY_STORE_ID;
  c.name = "commitlog";
  c.vtable = &kTable;
  c.keys = commitlog::config_keys().data();
  c.n_keys = static_cast<std::uint32_t>(commitlog::config_keys().size());
  c.create = create;
  c.start = [](void *self, gantry_error *err) noexcept {
    const auto done = store_of(self).start();
    return done ? GANTRY_OK : report(done.error(), err);
  };
  c.stop = [](void *self) noexcept { store_of(self).stop(); };
  c.destroy = [](void *self) noexcept { delete static_cast<commitlog::Store *>(self); };
  return c;
}

}  // namespace

const gantry_component &component_over(std::shared_ptr<TwinDisk> disk) {
  static const gantry_component component = make_component();
  g_disk = std::move(disk);
  return component;
}

void CommitlogTest::SetUp() {}

void CommitlogTest::TearDown() {
  if (HasFailure() && host_ != nullptr) {
    for (const std::string &line : host_->log_lines()) std::fprintf(stderr, "  plugin's log: %s\n", line.c_str());
  }
  close();
}

void CommitlogTest::open(std::int32_t expected) {
  host_ = std::make_unique<FakeHost>();
  if (wall_ms != 0) host_->freeze_clock(wall_ms);
  store_ = std::make_unique<StoreInstance>(*host_, component_over(disk), config);
  store_->set_consumption(consumption);
  const std::int32_t rc = store_->open(dir(), level);
  ASSERT_EQ(rc, expected) << store_->error().text;
}

void CommitlogTest::close() {
  store_.reset();
  host_.reset();
}

void CommitlogTest::crash() {
  disk->freeze();
  close();
  disk = std::make_shared<TwinDisk>();
}

gantry_queue CommitlogTest::recovered(const std::string &topic, std::uint32_t no) const {
  const auto at = store_->recovered_queues().find({topic, no});
  EXPECT_NE(at, store_->recovered_queues().end()) << topic;
  return at != store_->recovered_queues().end() ? at->second.queue : GANTRY_NO_QUEUE;
}

void CommitlogTest::send(gantry_queue queue, std::size_t n, std::size_t body_bytes, std::size_t per_call) {
  std::vector<Message> messages;
  for (std::size_t i = 0; i < n; ++i) messages.push_back(message(queue, filled(body_bytes, sent.size() + i), static_cast<std::int64_t>(i % 3)));
  for (Message &m : messages) m.store_ms = host_->wall_ms();
  append_all(*store_, messages, per_call);
  sent.insert(sent.end(), messages.begin(), messages.end());
}

void CommitlogTest::expect_all(gantry_queue queue) {
  const auto got = read_queue(*store_, queue);
  for (const Message &m : sent) {
    if (m.links[0].queue != queue) continue;
    const auto at = got.find(m.offsets[0]);
    ASSERT_NE(at, got.end()) << "offset " << m.offsets[0];
    ASSERT_EQ(at->second, m.expected()) << "offset " << m.offsets[0];
  }
}

namespace {
std::vector<std::filesystem::path> files_in(const std::filesystem::path &folder, std::size_t name_bytes) {
  std::vector<std::filesystem::path> out;
  for (const auto &entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.size() == name_bytes && name[0] == '0' && entry.is_regular_file()) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}
}  // namespace

ReadResult CommitlogTest::inline_read(gantry_queue queue, std::int64_t offset, std::uint32_t max_records, const std::vector<std::int64_t> &tags) {
  CompletionLog done(host());
  gantry_read request{};
  request.user_data = 1;
  request.queue = queue;
  request.offset = offset;
  request.max_records = max_records;
  request.max_bytes = 64u << 20;
  request.flags = tags.empty() ? GANTRY_READ_ANY_TAG : 0;
  request.tags = tags.data();
  request.n_tags = static_cast<std::uint32_t>(tags.size());
  const gantry_read_result *out = nullptr;
  host().on_shard(0, [&] { EXPECT_EQ(store().table().read(store().self(), 0, &request, 1, &out, done.id()), 1); });
  if (out != nullptr) return ReadResult(out);
  const auto cqe = done.wait_for(1);
  EXPECT_TRUE(cqe && cqe->status == GANTRY_OK);
  if (cqe && cqe->status == GANTRY_OK) ReadResult(reinterpret_cast<const gantry_read_result *>(cqe->aux)).reset();
  return {};
}

void CommitlogTest::expect_records(const ReadResult &got, std::int64_t from) {
  ASSERT_GT(got->n, 0u);
  for (std::size_t i = 0; i < got->n; ++i) {
    const Message &m = sent[static_cast<std::size_t>(from) + i];
    ASSERT_EQ(got->records[i].queue_off, m.offsets[0]);
    ASSERT_EQ(got->records[i].phys_pos, m.phys_pos);
    ASSERT_EQ(got.bytes(i), m.expected()) << "offset " << m.offsets[0];
  }
}

std::vector<std::filesystem::path> CommitlogTest::segments() const { return files_in(dir() + "/commitlog", 20); }
std::vector<std::filesystem::path> CommitlogTest::runs() const { return files_in(dir() + "/index", 24); }

void CommitlogTest::wait_for(const char *what, const std::function<bool()> &done) { ASSERT_TRUE(host_->wait_until(done)) << what; }

std::string slurp(const std::filesystem::path &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void overwrite(const std::filesystem::path &path, std::int64_t offset, std::string_view bytes) {
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  require(out.good(), "overwrite: no such file " + path.string());
  out.seekp(offset);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void flip(const std::filesystem::path &path, std::int64_t offset) {
  const std::string all = slurp(path);
  const char changed = static_cast<char>(all.at(static_cast<std::size_t>(offset)) ^ 0x10);
  overwrite(path, offset, {&changed, 1});
}

std::vector<FrameAt> frames_of(const std::string &segment, std::int64_t base) {
  std::vector<FrameAt> out;
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t *>(segment.data()), segment.size());
  std::uint64_t epoch = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto unit = commitlog::parse_unit(bytes.subspan(at), {base + static_cast<std::int64_t>(at)}, epoch);
    if (!unit) break;
    epoch = unit->header.epoch;
    if (unit->kind == commitlog::Kind::kFrame) out.push_back({static_cast<std::int64_t>(at), unit->header});
    at += unit->bytes;
  }
  return out;
}

}  // namespace gantry::test
