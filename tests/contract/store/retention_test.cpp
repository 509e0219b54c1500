// retain_from: what is held stays, whatever retention says; what is not held goes.
#include "fixture.h"

namespace gantry::test {
namespace {

class Retention : public StoreContract {
 protected:
  void SetUp() override { start_with_retention(); }

  void hold_from(std::int64_t pos) { store().table().retain_from(store().self(), pos); }

  // About 1 MiB to the queue; returns the first.
  Message some_more(gantry_queue queue) {
    std::vector<Message> messages;
    for (int i = 0; i < 64; ++i) messages.push_back(message(queue, filled(16000, ++seed_)));
    append_all(store(), messages, 16);
    return messages.front();
  }
  // Appends until the oldest record of the queue is not `min_off` any more.
  void append_until_trimmed(gantry_queue queue, std::int64_t min_off) {
    ASSERT_TRUE(append_until(queue, [&] { return store().stat(queue).min_off > min_off; })) << "this store drops nothing";
  }

 private:
  std::uint64_t seed_ = 0;
};

TEST_F(Retention, WhatIsHeldStaysAndWhatIsBeforeItGoes) {
  const gantry_queue queue = store().queue("A");
  for (int i = 0; i < 4; ++i) (void)some_more(queue);
  const Message held = some_more(queue);
  hold_from(held.phys_pos);
  for (int i = 0; i < 24; ++i) (void)some_more(queue);
  append_until_trimmed(queue, 0);
  for (int i = 0; i < 8; ++i) (void)some_more(queue);
  EXPECT_LE(store().stat(queue).min_off, held.offsets[0]);
  EXPECT_EQ(store().read(queue, held.offsets[0], 1).bytes(0), held.expected());
  EXPECT_EQ(store().read_at(held.phys_pos).bytes(0), held.expected());

  hold_from(INT64_MAX);
  append_until_trimmed(queue, held.offsets[0]);
  std::int32_t status = GANTRY_OK;
  EXPECT_FALSE(store().read_at(held.phys_pos, &status));
  EXPECT_EQ(status, GANTRY_E_NOT_FOUND);
}

TEST_F(Retention, AfterOpenNothingIsHeld) {
  const gantry_queue queue = store().queue("A");
  hold_from(append_one(store(), message(queue, "first")).phys_pos);
  (void)some_more(queue);
  reopen();
  append_until_trimmed(store().queue("A"), 0);
}

TEST_F(Retention, AHeldRecordOutlivesItsQueue) {
  const gantry_queue queue = store().queue("A");
  const Message held = append_one(store(), message(queue, "held"));
  hold_from(held.phys_pos);
  ASSERT_EQ(store().table().queue_drop(store().self(), queue), GANTRY_OK);
  const gantry_queue other = store().queue("B");
  for (int i = 0; i < 12; ++i) (void)some_more(other);
  EXPECT_EQ(store().read_at(held.phys_pos).bytes(0), held.expected());
}

}  // namespace
}  // namespace gantry::test
