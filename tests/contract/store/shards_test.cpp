// Several shards at once: order per shard, dense offsets, completions on the shard that asked.
#include "fixture.h"

namespace gantry::test {
namespace {

constexpr std::uint32_t kShards = 4;

class Shards : public StoreContract {
 protected:
  void SetUp() override { start(kShards, LoopMode::kThreads); }
};

// Keeps a window of appends going on one shard, driven by its completions alone.
class Producer {
 public:
  Producer(StoreInstance &store, std::uint32_t shard, std::vector<Message> messages)
      : store_(store), shard_(shard), messages_(std::move(messages)), batch_(messages_.data(), messages_.size(), 0) {
    const gantry_host *host = store.host().abi();
    cq_ = static_cast<const gantry_cq_v1 *>(host->query(host, GANTRY_CQ_ID));
    exec_ = static_cast<const gantry_exec_v1 *>(host->query(host, GANTRY_EXEC_ID));
    store.host().on_shard(shard, [&] { id_ = cq_->create(host, shard, ready, this); });
  }
  ~Producer() {
    store_.host().on_shard(shard_, [&] { cq_->close(store_.host().abi(), id_); });
  }
  Producer(const Producer &) = delete;
  Producer &operator=(const Producer &) = delete;

  void begin() { require(exec_->post(store_.host().abi(), shard_, pump, this) == GANTRY_OK, "post"); }
  [[nodiscard]] bool finished() const { return done_ == messages_.size(); }
  [[nodiscard]] const std::vector<Message> &messages() const { return messages_; }
  [[nodiscard]] const std::string &fault() const { return fault_; }

 private:
  static constexpr std::size_t kWindow = 64;

  static void pump(void *arg) noexcept {
    auto *self = static_cast<Producer *>(arg);
    bool again = false;
    while (self->next_ < self->messages_.size() && self->next_ - self->done_ < kWindow && !again) {
      const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(8, self->messages_.size() - self->next_));
      const std::int32_t rc = self->store_.table().append(self->store_.self(), self->shard_, self->batch_.data() + self->next_, n, self->id_);
      if (rc > 0) self->next_ += static_cast<std::size_t>(rc);
      again = rc <= 0;
      if (rc < 0 && rc != GANTRY_E_AGAIN) self->fault_ = "append: code " + std::to_string(rc);
    }
    // With nothing of ours in flight no completion would bring us back.
    if (again && self->next_ == self->done_) (void)self->exec_->post(self->store_.host().abi(), self->shard_, pump, self);
  }

  static void ready(void *arg, const gantry_cqe *cqes, std::uint32_t n) noexcept {
    auto *self = static_cast<Producer *>(arg);
    if (self->exec_->this_shard(self->store_.host().abi()) != self->shard_) self->fault_ = "delivered on another shard";
    for (std::uint32_t i = 0; i < n; ++i) {
      if (cqes[i].status != GANTRY_OK) self->fault_ = "status " + std::to_string(cqes[i].status);
      self->messages_[cqes[i].user_data].phys_pos = cqes[i].result;
    }
    self->done_ += n;
    pump(self);
  }

  StoreInstance &store_;
  const std::uint32_t shard_;
  std::vector<Message> messages_;
  AppendBatch batch_;
  const gantry_cq_v1 *cq_;
  const gantry_exec_v1 *exec_;
  gantry_cq id_ = 0;
  std::size_t next_ = 0;
  std::atomic<std::size_t> done_{0};
  std::string fault_;
};

TEST_F(Shards, AppendsFromManyShardsKeepEachShardsOrder) {
  const gantry_queue shared = store().queue("shared");
  std::vector<gantry_queue> own;
  for (std::uint32_t s = 0; s < kShards; ++s) own.push_back(store().queue("own", s));
  std::vector<std::unique_ptr<Producer>> producers;
  constexpr std::size_t kEach = 3000;
  for (std::uint32_t s = 0; s < kShards; ++s) {
    std::vector<Message> messages;
    for (std::size_t i = 0; i < kEach; ++i) {
      messages.push_back(message(shared, filled(200 + i % 300, s * kEach + i), s));
      messages.back().links.push_back({own[s], 0});
    }
    producers.push_back(std::make_unique<Producer>(store(), s, std::move(messages)));
  }
  for (auto &each : producers) each->begin();
  ASSERT_TRUE(host().wait_until([&] { return std::all_of(producers.begin(), producers.end(), [](auto &p) { return p->finished(); }); }, 60000));

  const auto got = read_queue(store(), shared, 512);
  ASSERT_EQ(got.size(), kShards * kEach);
  EXPECT_EQ(got.begin()->first, 0);
  EXPECT_EQ(got.rbegin()->first, static_cast<std::int64_t>(kShards * kEach) - 1);
  for (std::uint32_t s = 0; s < kShards; ++s) {
    EXPECT_EQ(producers[s]->fault(), "");
    const auto &messages = producers[s]->messages();
    const auto mine = read_queue(store(), own[s], 512);
    ASSERT_EQ(mine.size(), kEach);
    for (std::size_t i = 0; i < kEach; ++i) {
      EXPECT_EQ(messages[i].offsets[1], static_cast<std::int64_t>(i));
      if (i > 0) {
        EXPECT_GT(messages[i].offsets[0], messages[i - 1].offsets[0]);
        EXPECT_GT(messages[i].phys_pos, messages[i - 1].phys_pos);
      }
      ASSERT_EQ(got.at(messages[i].offsets[0]), messages[i].expected());
      ASSERT_EQ(mine.at(static_cast<std::int64_t>(i)), messages[i].expected());
    }
  }
}

TEST_F(Shards, ReadsAndStatisticsOnOneShardWhileOthersAppend) {
  const gantry_queue queue = store().queue("A");
  std::vector<std::unique_ptr<Producer>> producers;
  for (std::uint32_t s = 1; s < kShards; ++s) {
    producers.push_back(std::make_unique<Producer>(store(), s, std::vector<Message>(3000, message(queue, filled(800, s)))));
  }
  for (auto &each : producers) each->begin();
  std::int64_t at = 0;
  const auto all_read = [&] {
    const gantry_queue_stat stat = store().stat(queue);
    EXPECT_GE(stat.appended_off, stat.max_off);
    const ReadResult got = store().read(queue, at, 200);
    for (const gantry_record &record : got.records()) EXPECT_EQ(record.queue_off, at++);
    EXPECT_EQ(got->next_off, at);
    return at == 9000;
  };
  EXPECT_TRUE(host().wait_until(all_read, 60000)) << "read up to " << at;
  EXPECT_TRUE(host().wait_until([&] { return std::all_of(producers.begin(), producers.end(), [](auto &p) { return p->finished(); }); }));
  for (const auto &each : producers) EXPECT_EQ(each->fault(), "");
}

TEST_F(Shards, QueuesOpenedOnManyShardsAtOnceAreOneQueue) {
  std::vector<std::vector<gantry_queue>> seen(kShards);
  std::vector<std::thread> threads;
  for (std::uint32_t s = 0; s < kShards; ++s) {
    threads.emplace_back([&, s] {
      host().on_shard(s, [&] {
        for (std::uint32_t i = 0; i < 500; ++i) {
          gantry_queue out = GANTRY_NO_QUEUE;
          EXPECT_EQ(store().table().queue_open(store().self(), str_of("T"), i, GANTRY_QUEUE_NORMAL, &out), GANTRY_OK);
          seen[s].push_back(out);
        }
      });
    });
  }
  for (std::thread &each : threads) each.join();
  for (std::uint32_t s = 1; s < kShards; ++s) EXPECT_EQ(seen[s], seen[0]);
  EXPECT_EQ(store().stats().queues, 500u);
}

TEST_F(Shards, ResultsMayBeReleasedOnAnotherShard) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages(10, message(queue, filled(1000, 1)));
  append_all(store(), messages);
  for (int i = 0; i < 100; ++i) {
    ReadResult got = store().read(read_of(queue, 0), nullptr, static_cast<std::uint32_t>(i) % kShards);
    ASSERT_EQ(got->n, 10u);
    host().on_shard(static_cast<std::uint32_t>(i + 1) % kShards, [&] { got.reset(); });
  }
}

}  // namespace
}  // namespace gantry::test
