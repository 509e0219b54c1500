// Rows of popped queues, and a restart: the same store under a new broker.
#include "pop_fixture.hpp"

namespace gantry::test {
namespace {

using semantics::Checkpoint;

TEST(PopRows, GoThereAndBack) {
  broker::Topic topic;
  topic.name = "T";
  semantics::PopQueue queue;
  queue.group = "G";
  queue.topic = &topic;
  queue.key.queue_no = 7;
  queue.cursor = 12;
  queue.committed = 5;
  Checkpoint ck;
  ck.start_off = 5;
  ck.pop_ms = 1'700'000'000'123;
  ck.invisible_ms = 60'000;
  ck.phys_pos = 123'456'789'012;
  ck.n = 2;
  ck.pending = 2;
  ck.diffs[0] = 0;
  ck.diffs[1] = 3;
  ck.keep_count = true;

  const std::string key = checkpoint_key(queue, ck);
  ASSERT_EQ(key.substr(0, 4), "pop/");
  semantics::PopRow row;
  ASSERT_TRUE(semantics::decode_pop_key(std::string_view(key).substr(4), &row));
  EXPECT_EQ(row.kind, 'c');
  EXPECT_EQ(row.group, "G");
  EXPECT_EQ(row.topic, "T");
  EXPECT_EQ(row.queue_no, 7u);
  EXPECT_EQ(row.offset, 5);
  Checkpoint read;
  const std::string value = checkpoint_value(ck);
  ASSERT_TRUE(semantics::decode_checkpoint(value, row.offset, &read));
  EXPECT_EQ(read.pop_ms, ck.pop_ms);
  EXPECT_EQ(read.invisible_ms, ck.invisible_ms);
  EXPECT_EQ(read.phys_pos, ck.phys_pos);
  EXPECT_EQ(read.pending, 2u);
  EXPECT_EQ(read.offset(1), 8);
  EXPECT_TRUE(read.keep_count);

  std::int64_t cursor = 0, committed = 0;
  ASSERT_TRUE(semantics::decode_pop_queue(pop_queue_value(queue), &cursor, &committed));
  EXPECT_EQ(cursor, 12);
  EXPECT_EQ(committed, 5);
}

semantics::OrderInfo order_of_three() {
  semantics::OrderInfo order;
  order.attempt = "try-1";
  order.pop_ms = 1'700'000'000'123;
  order.messages = {{7, 1'700'000'060'123, 0, true}, {9, 1'700'000'060'124, 2, false}, {10, 1'700'000'060'123, 1, true}};
  return order;
}

TEST(PopRows, WhatWasPoppedInOrderGoesThereAndBack) {
  broker::Topic topic;
  topic.name = "T";
  semantics::PopQueue queue;
  queue.group = "G";
  queue.topic = &topic;
  queue.key.queue_no = 7;
  semantics::PopRow row;
  const std::string key = order_key(queue);  // the row's texts lie in it
  ASSERT_TRUE(semantics::decode_pop_key(std::string_view(key).substr(4), &row));
  EXPECT_EQ(row.kind, 'i');
  EXPECT_EQ(row.topic, "T");
  EXPECT_EQ(row.queue_no, 7u);
  semantics::OrderInfo order = order_of_three(), read;
  ASSERT_TRUE(semantics::decode_order(order_value(order), &read));
  EXPECT_EQ(read.attempt, order.attempt);
  EXPECT_EQ(read.pop_ms, order.pop_ms);
  ASSERT_EQ(read.messages.size(), 3u);
  EXPECT_EQ(read.next_off(), 9);
  EXPECT_EQ(read.messages[1].visible_ms, 1'700'000'060'124);
  EXPECT_EQ(read.messages[1].deliveries, 2u);
  EXPECT_TRUE(read.messages[2].acked);
  order.attempt.assign(256, 'a');
  semantics::OrderInfo long_attempt;
  ASSERT_TRUE(semantics::decode_order(order_value(order), &long_attempt));
  EXPECT_EQ(long_attempt.attempt, "");
  order.messages[1].acked = true;
  EXPECT_EQ(order_value(order), "") << "nothing of it is out";
}

TEST(PopRows, DamagedRowsOfWhatWasPoppedInOrderAreRefused) {
  const std::string good = order_value(order_of_three());
  const auto refused = [](const std::string &value) {
    semantics::OrderInfo read;
    return !semantics::decode_order(value, &read);
  };
  EXPECT_FALSE(refused(good));
  EXPECT_TRUE(refused(good.substr(0, 15)));
  EXPECT_TRUE(refused(good.substr(0, good.size() - 1)));
  EXPECT_TRUE(refused(good + "x"));
  for (const auto &[at, byte] : {std::pair{0u, '\2'}, {1u, '\0'}, {1u, '\41'}, {2u, '\6'}}) {
    std::string bad = good;
    bad[at] = byte;
    EXPECT_TRUE(refused(bad)) << "byte " << at;
  }
  semantics::OrderInfo backwards = order_of_three();
  std::swap(backwards.messages[0], backwards.messages[1]);
  EXPECT_TRUE(refused(order_value(backwards)));
}

TEST(PopRows, DamagedOnesAreRefused) {
  semantics::PopRow row;
  EXPECT_FALSE(semantics::decode_pop_key("", &row));
  EXPECT_FALSE(semantics::decode_pop_key("qG", &row));
  EXPECT_FALSE(semantics::decode_pop_key(std::string_view("qG\0T\0abc", 8), &row));
  std::int64_t cursor = 0, committed = 0;
  EXPECT_FALSE(semantics::decode_pop_queue("12345678", &cursor, &committed));
  EXPECT_FALSE(semantics::decode_pop_queue(std::string_view("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 16), &cursor, &committed)) << "committed behind the cursor";
  Checkpoint ck;
  ck.n = 1;
  ck.pending = 1;
  ck.diffs[0] = 0;
  std::string value = checkpoint_value(ck);
  Checkpoint read;
  EXPECT_TRUE(semantics::decode_checkpoint(value, 0, &read));
  EXPECT_FALSE(semantics::decode_checkpoint(value.substr(1), 0, &read));
  value[0] = 2;
  EXPECT_FALSE(semantics::decode_checkpoint(value, 0, &read)) << "a version of the future";
  ck.pending = 2;
  EXPECT_FALSE(semantics::decode_checkpoint(checkpoint_value(ck), 0, &read)) << "a message that it does not have";
}

class PopRestart : public PopTest {
 protected:
  // A new Pop that finds these rows.
  void restart(std::vector<std::pair<std::string, std::string>> rows) {
    host_.on_shard(0, [&] { pop_->drain(); });
    host_.advance_ms(200);
    turns();
    pop_->stop();
    pop_ = std::make_unique<semantics::Pop>(*broker_);
    broker_->core().restored_rows = {rows.begin(), rows.end()};
    pop_->start(1);
    turns();
  }
  // As of a queue of which messages 0 to 3 were popped, 0 and 2 not acknowledged.
  std::vector<std::pair<std::string, std::string>> rows(gantry_topic t, std::int64_t committed) {
    semantics::PopQueue queue;
    queue.group = "G";
    queue.topic = broker_->core().topics.by_handle(t);
    queue.cursor = 4;
    queue.committed = committed;
    Checkpoint ck;
    ck.pop_ms = pop_ms_;
    ck.invisible_ms = 5'000;
    ck.n = 4;
    ck.pending = 1 | 4;
    for (std::uint32_t i = 0; i < 4; ++i) ck.diffs[i] = i;
    return {{checkpoint_key(queue, ck), checkpoint_value(ck)}, {pop_queue_key(queue), pop_queue_value(queue)}, {"pop/xyz", "nothing of ours"}};
  }
  gantry_pop_handle restored(gantry_topic t, std::int64_t offset) {
    gantry_pop_handle h{};
    h.group = group("G");
    h.topic = t;
    h.offset = offset;
    h.pop_ms = pop_ms_;
    return h;
  }
  static constexpr std::int64_t pop_ms_ = 1'700'000'000'000;
};

TEST_F(PopRestart, HandlesStayGoodAndOnlyWhatWasNotAcknowledgedComesAgain) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b", "c", "d", "e"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  host_.on_shard(0, [&] { ASSERT_EQ(broker_->offset_commit(group("G"), t, 0, 0, 0, 0), GANTRY_OK); });
  restart(rows(t, 0));
  EXPECT_EQ(pop(t).bodies, std::vector<std::string>{"e"});
  EXPECT_EQ(ack(restored(t, 1)), GANTRY_POP_VOID);
  EXPECT_EQ(ack(restored(t, 2)), GANTRY_OK);
  EXPECT_EQ(committed(t), 0);
  pass_ms(5'500);
  const Popped again = pop(t);
  EXPECT_EQ(again.bodies, std::vector<std::string>{"a"});
  EXPECT_EQ(again.reconsume_times, std::vector<std::uint32_t>{1});
  EXPECT_EQ(committed(t), 4) << "e is out";
}

// The crash came after the message was stored again and before the rows said so.
TEST_F(PopRestart, WhatWasStoredAgainIsNotStoredAgainOnceMore) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a").status, GANTRY_OK);
  const Popped p = pop(t, 32, 1'000);
  pass_ms(1'500);
  ASSERT_EQ(messages("%RETRY%G_T").size(), 1u);
  ASSERT_EQ(committed(t), 1);
  semantics::PopQueue queue;
  queue.group = "G";
  queue.topic = broker_->core().topics.by_handle(t);
  queue.cursor = queue.committed = 1;
  Checkpoint ck;
  ck.pop_ms = p.pop_ms;
  ck.invisible_ms = 1'000;
  ck.n = ck.pending = 1;
  ck.diffs[0] = 0;
  const std::vector<std::pair<std::string, std::string>> stale = {{checkpoint_key(queue, ck), checkpoint_value(ck)}, {pop_queue_key(queue), pop_queue_value(queue)}};
  restart(stale);
  pass_ms(500);
  EXPECT_EQ(messages("%RETRY%G_T").size(), 1u);

  // Without the note of it, it would be: so says a cursor behind the note.
  auto forgetful = stale;
  forgetful.emplace_back("pop/o", std::string("\0\0\0\0\0\0\0\1", 8));
  restart(forgetful);
  pass_ms(500);
  EXPECT_EQ(messages("%RETRY%G_T").size(), 2u);
}

TEST_F(PopRestart, AGroupThatWasMovedStartsThere) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b", "c", "d"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  host_.on_shard(0, [&] { ASSERT_EQ(broker_->offset_commit(group("G"), t, 0, 1, 0, 0), GANTRY_OK); });
  restart(rows(t, 0));
  EXPECT_EQ(pop(t).bodies, (std::vector<std::string>{"b", "c", "d"}));
  EXPECT_EQ(ack(restored(t, 0)), GANTRY_POP_VOID);
}

// Rows as they were really written.
class PopOrderRestart : public PopRestart {
 protected:
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    patched_ = *real;
    written_.clear();
    patched_.meta_write = [](void *self, const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) noexcept {
      for (std::uint32_t i = 0; i < n; ++i) {
        const std::string key(view(ops[i].key));
        if (ops[i].op == GANTRY_META_DELETE) written_.erase(key);
        else written_[key] = std::string(view(ops[i].value));
      }
      return real_->meta_write(self, ops, n, durability, user_data, cq);
    };
    return &patched_;
  }
  void restart_as_written() {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto &[key, value] : written_)
      if (key.starts_with("pop/")) rows.emplace_back(key, value);
    restart(rows);
  }
  [[nodiscard]] static bool order_row_written() {
    for (const auto &[key, value] : written_)
      if (key.starts_with("pop/i")) return true;
    return false;
  }
  gantry_pop in_order(gantry_topic t, std::uint32_t max) {
    gantry_pop req = request(t, max, 5'000);
    req.flags = GANTRY_POP_ORDER;
    req.user_data = ++next_user_data_;
    return req;
  }
  gantry_pop_handle ordered(const Popped &p, std::size_t i) { return handle(p, 0, i, group("G"), GANTRY_POP_ORDER); }

  static inline const gantry_store_v1 *real_ = nullptr;
  static inline gantry_store_v1 patched_{};
  static inline std::map<std::string, std::string> written_;
};

TEST_F(PopOrderRestart, AQueueStaysBlockedAndItsHandlesStayGood) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b", "c"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  const Popped first = pop(in_order(t, 2));
  ASSERT_EQ(first.bodies, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ack(ordered(first, 1)), GANTRY_OK);
  restart_as_written();
  EXPECT_EQ(pop(in_order(t, 2)).outcome, GANTRY_POP_NOTHING) << "a is out still";
  EXPECT_EQ(ack(ordered(first, 0)), GANTRY_OK);
  EXPECT_EQ(committed(t), 2) << "b was acknowledged before the restart";
  EXPECT_FALSE(order_row_written()) << "nothing is out";
  EXPECT_EQ(pop(in_order(t, 2)).bodies, std::vector<std::string>{"c"});
  EXPECT_TRUE(order_row_written());
}

TEST_F(PopOrderRestart, WhatIsNotAcknowledgedComesAgainWithItsCountWhenItsTimeIsOver) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  const Popped first = pop(in_order(t, 2));
  ASSERT_EQ(first.bodies.size(), 2u);
  EXPECT_EQ(ack(ordered(first, 0)), GANTRY_OK);
  gantry_pop_handle b = ordered(first, 1);
  ASSERT_EQ(change(b, 9'000), GANTRY_OK);
  restart_as_written();
  pass_ms(6'000);
  EXPECT_EQ(pop(in_order(t, 2)).outcome, GANTRY_POP_NOTHING) << "its time was changed before the restart";
  pass_ms(3'500);
  const Popped again = pop(in_order(t, 2));
  EXPECT_EQ(again.bodies, std::vector<std::string>{"b"});
  EXPECT_EQ(again.parts.at(0).deliveries, std::vector<std::uint32_t>{1});
}

TEST_F(PopOrderRestart, AGroupThatWasMovedIsNotBlocked) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  const Popped first = pop(in_order(t, 1));
  ASSERT_EQ(first.bodies.size(), 1u);
  host_.on_shard(0, [&] { ASSERT_EQ(broker_->offset_commit(group("G"), t, 0, 1, 0, 0), GANTRY_OK); });
  restart_as_written();
  EXPECT_EQ(pop(in_order(t, 2)).bodies, std::vector<std::string>{"b"});
  EXPECT_EQ(ack(ordered(first, 0)), GANTRY_POP_VOID);
}

// From where on retention must leave the log alone.
class PopHold : public PopRestart {
 protected:
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    patched_ = *real;
    patched_.retain_from = [](void *self, std::int64_t phys_pos) noexcept {
      retained_from_ = phys_pos;
      return real_->retain_from(self, phys_pos);
    };
    return &patched_;
  }
  std::int64_t position(const gantry_cqe &produced) { return static_cast<std::int64_t>(produced.aux); }
  std::int64_t retained_from() {
    pass_ms(1'100);
    return retained_from_;
  }

  static inline const gantry_store_v1 *real_ = nullptr;
  static inline gantry_store_v1 patched_{};
  static inline std::int64_t retained_from_ = 0;
};

TEST_F(PopHold, TheLogIsKeptFromTheOldestMessageThatIsOut) {
  const gantry_topic t = topic("T", 1);
  const std::int64_t a = position(produce(t, "a")), b = position(produce(t, "b"));
  EXPECT_GT(retained_from(), b) << "nothing is out";
  const Popped first = pop(t, 1, 60'000), second = pop(t, 1, 60'000);
  ASSERT_EQ(second.bodies, std::vector<std::string>{"b"});
  EXPECT_EQ(retained_from_, a) << "before the answer leaves";
  ack_all(first);
  EXPECT_EQ(retained_from(), b);
  gantry_pop_handle changed = handle(second, 0, 0, group("G"));
  ASSERT_EQ(change(changed, 90'000), GANTRY_OK);
  EXPECT_EQ(retained_from(), b) << "out under another handle";
  ASSERT_EQ(ack(changed), GANTRY_OK);
  EXPECT_GT(retained_from(), b);
}

TEST_F(PopHold, AnOlderBacklogLowersTheHoldAtOnce) {
  const gantry_topic t = topic("T", 1), old = topic("Old", 1);
  const std::int64_t a = position(produce(old, "a"));
  const std::int64_t b = position(produce(t, "b"));
  ASSERT_EQ(pop(t, 1, 60'000).bodies.size(), 1u);
  EXPECT_EQ(retained_from(), b);
  ASSERT_EQ(pop(old, 1, 60'000).bodies.size(), 1u);
  EXPECT_EQ(retained_from_, a);
}

TEST_F(PopHold, WhatComesAgainIsLetGoWhereItWasAndKeptWhereItIs) {
  const gantry_topic t = topic("T", 1);
  const std::int64_t a = position(produce(t, "a"));
  ASSERT_EQ(pop(t, 1, 1'000).bodies.size(), 1u);
  EXPECT_EQ(retained_from_, a);
  pass_ms(2'000);
  ASSERT_EQ(messages("%RETRY%G_T").size(), 1u);
  EXPECT_GT(retained_from(), a);
}

TEST_F(PopHold, AStartHoldsWhatIsOutByItsRows) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b", "c", "d"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  host_.on_shard(0, [&] { ASSERT_EQ(broker_->offset_commit(group("G"), t, 0, 0, 0, 0), GANTRY_OK); });
  auto all = rows(t, 0);
  Checkpoint ck;
  ASSERT_TRUE(semantics::decode_checkpoint(all[0].second, 0, &ck));
  ck.phys_pos = 4'321;
  all[0].second = checkpoint_value(ck);
  restart(all);
  EXPECT_EQ(retained_from_, 4'321);
  EXPECT_EQ(ack(restored(t, 0)), GANTRY_OK);
  EXPECT_EQ(ack(restored(t, 2)), GANTRY_OK);
  EXPECT_GT(retained_from(), 4'321);
}

}  // namespace
}  // namespace gantry::test
