// The memory store's own keys, and what a host without its services gets.
#include "support/plugin_loader.h"
#include "support/store_records.h"
#include "support/test_util.h"

#include <gtest/gtest.h>

namespace gantry::test {
namespace {

const gantry_component &memory() {
  static const gantry_component &component = component_of(load_plugin(GANTRY_MEMORY_STORE), GANTRY_STORE_ID);
  return component;
}

std::int32_t append_code(StoreInstance &store, Message m) {
  CompletionLog unread(store.host());
  AppendBatch batch(&m, 1, 0);
  const std::int32_t rc = store.table().append(store.self(), 0, batch.data(), 1, unread.id());
  store.host().turn();
  return rc;
}

TEST(MemoryStore, KeepsOnlyTheNewestRecordsOfAQueueWhenTold) {
  FakeHost host;
  StoreInstance store(host, memory(), {{"keep_per_queue", "10"}});
  ASSERT_EQ(store.open("", GANTRY_DURABILITY_MEMORY), GANTRY_OK);
  const gantry_queue queue = store.queue("A");
  std::vector<Message> messages(25, message(queue, "x"));
  append_all(store, messages);
  EXPECT_EQ(store.stat(queue).min_off, 15);
  const ReadResult below = store.read(queue, 14);
  EXPECT_EQ(below->stop, GANTRY_STOP_RANGE);
  EXPECT_EQ(below->min_off, 15);
  EXPECT_EQ(store.read(queue, 15)->n, 10u);
  std::int32_t status = GANTRY_OK;
  EXPECT_FALSE(store.read_at(messages[14].phys_pos, &status));
  EXPECT_EQ(status, GANTRY_E_NOT_FOUND);
}

TEST(MemoryStore, TakesStrongerLevelsOnlyWhenTold) {
  FakeHost host;
  StoreInstance strict(host, memory()), loose(host, memory(), {{"accept_stronger", "true"}});
  EXPECT_EQ(strict.open("", GANTRY_DURABILITY_WRITTEN), GANTRY_E_CONFIG);
  ASSERT_EQ(strict.open("", GANTRY_DURABILITY_MEMORY), GANTRY_OK);
  ASSERT_EQ(loose.open("", GANTRY_DURABILITY_DURABLE), GANTRY_OK);
  for (StoreInstance *store : {&strict, &loose}) {
    Message m = message(store->queue("A"), "x");
    m.durability = GANTRY_DURABILITY_DURABLE;
    EXPECT_EQ(append_code(*store, m), store == &loose ? 1 : GANTRY_E_UNSUPPORTED);
  }
  CompletionLog done(host);
  ASSERT_GE(loose.table().sync(loose.self(), 0, 3, done.id()), 0);
  EXPECT_TRUE(done.wait_for(3));
}

TEST(MemoryStore, RefusesWhatGoesBeyondItsLimits) {
  FakeHost host;
  StoreInstance store(host, memory(), {{"capacity", "10 KiB"}, {"max_record", "4 KiB"}, {"max_queues", "2"}});
  ASSERT_EQ(store.open("", GANTRY_DURABILITY_MEMORY), GANTRY_OK);
  const gantry_queue queue = store.queue("A"), other = store.queue("B");
  EXPECT_EQ(append_code(store, message(queue, filled(4096, 1))), GANTRY_E_LIMIT);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(append_code(store, message(queue, filled(3000, 1))), 1);
  EXPECT_EQ(append_code(store, message(other, filled(3000, 1))), GANTRY_E_NO_SPACE);
  gantry_queue third = GANTRY_NO_QUEUE;
  EXPECT_EQ(store.table().queue_open(store.self(), str_of("C"), 0, 0, &third), GANTRY_E_LIMIT);
  EXPECT_EQ(store.queue("B"), other) << "one that exists is still found";
  EXPECT_EQ(store.table().queue_drop(store.self(), queue), GANTRY_OK);
  EXPECT_EQ(append_code(store, message(other, filled(3000, 1))), 1) << "dropping gives the room back";
}

TEST(MemoryStore, NeedsItsHostsServices) {
  FakeHost host;
  host.hide_table(GANTRY_EXEC_ID);
  const ConfigTexts none;
  const FakeConfig config(memory(), none);
  void *self = nullptr;
  gantry_error err{};
  EXPECT_EQ(memory().create(host.abi(), config.abi(), &self, &err), GANTRY_E_UNSUPPORTED);
  EXPECT_NE(std::string(err.text).find(GANTRY_EXEC_ID), std::string::npos);
  EXPECT_EQ(self, nullptr);
}

}  // namespace
}  // namespace gantry::test
