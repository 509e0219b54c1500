#include "semantics_fixture.hpp"

#include "kernel/semantics/transactions.hpp"

#include <map>

namespace gantry::test {
namespace {

constexpr const char *kHalf = "RMQ_SYS_TRANS_HALF_TOPIC";
constexpr const char *kOp = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
constexpr const char *kDiscarded = "TRANS_CHECK_MAX_TIME_TOPIC";
constexpr gantry_conn kProducer = 501, kSecondProducer = 502, kStranger = 503;

using Bodies = std::vector<std::string>;

class Transactions : public HoldingTest<semantics::Transactions> {
 protected:
  void SetUp() override {
    HoldingTest::SetUp();
    (void)topic("T");
  }
  void restart() {
    stop();
    part_ = start();
  }

  gantry_cqe half(const std::string &body, const std::string &more = {}, std::int32_t queue_no = 0) {
    gantry_produce req = message(topic_id(), body, props_ = "TRAN_MSG\1true\2PGROUP\1pg\2UNIQ_KEY\1" + body + "\2TAGS\1tag\2" + more, queue_no);
    req.sys_flags = 4;
    return produce(req);
  }
  gantry_topic topic_id() {
    gantry_topic_info info{};
    EXPECT_EQ(broker_->topic_find("T", &info), GANTRY_OK);
    return info.topic;
  }
  // Status AND result of the completion.
  gantry_cqe end(const gantry_cqe &sent, std::uint32_t how, const std::string &group = "pg") { return end(sent.result, static_cast<std::int64_t>(sent.aux), how, group); }
  gantry_cqe end(std::int64_t queue_off, std::int64_t phys_pos, std::uint32_t how, const std::string &group = "pg") {
    const std::uint64_t id = begin_end(queue_off, phys_pos, how, group);
    return done_->wait_for(id).value_or(gantry_cqe{0, 0, 0, 1, 0});
  }
  std::uint64_t begin_end(std::int64_t queue_off, std::int64_t phys_pos, std::uint32_t how, const std::string &group = "pg") {
    gantry_end_transaction req{};
    req.user_data = ++next_user_data_;
    req.group = str(group);
    req.queue_off = queue_off;
    req.phys_pos = phys_pos;
    req.end = how;
    host_.on_shard(0, [&] { EXPECT_EQ(part_->end_transaction(req, done_->id()), GANTRY_OK); });
    return req.user_data;
  }
  gantry_cqe commit(const gantry_cqe &sent) { return end(sent, GANTRY_END_COMMIT); }
  gantry_cqe roll_back(const gantry_cqe &sent) { return end(sent, GANTRY_END_ROLLBACK); }

  void connect(gantry_conn conn, const std::string &group) {
    const gantry_str groups[] = {str(group)};
    gantry_heartbeat hb{};
    hb.size = sizeof hb;
    hb.conn = conn;
    hb.client_id = hb.peer = str("client");
    hb.producer_groups = groups;
    hb.n_producer_groups = 1;
    gantry_error err{};
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->heartbeat(hb, &err), GANTRY_OK) << err.text; });
  }
  void disconnect(gantry_conn conn) {
    host_.on_shard(0, [&] { broker_->conn_closed(conn); });
  }
  // Since the last call.
  std::vector<gantry_event> checks() {
    std::vector<gantry_event> out;
    for (const auto &[conn, event] : events_.told)
      if (event.kind == GANTRY_EVENT_CHECK_TRANSACTION) {
        EXPECT_EQ(conn, event.conn);
        out.push_back(event);
      }
    events_.told.clear();
    return out;
  }
  std::string props_;
};

TEST_F(Transactions, AHalfMessageIsHiddenUntilItIsCommitted) {
  gantry_produce req = message(topic_id(), "x", props_ = "TRAN_MSG\1true\2PGROUP\1pg\2TAGS\1tag\2KEYS\1k\2", 3);
  req.sys_flags = 4 | 1;  // prepared, compressed
  req.msg_flag = 77;
  const gantry_cqe sent = produce(req);
  ASSERT_EQ(sent.status, GANTRY_OK);
  EXPECT_EQ(sent.flags, 3u) << "the sender is told of the queue it asked for";
  pass_ms(100);
  EXPECT_TRUE(bodies("T", 3).empty());
  const auto hidden = messages(kHalf);
  ASSERT_EQ(hidden.size(), 1u);
  EXPECT_EQ(hidden[0]->m.sys_flags, 1u);
  EXPECT_EQ(hidden[0]->m.queue_off, sent.result);
  EXPECT_EQ(waiting(), 1);

  const gantry_cqe committed = commit(sent);
  EXPECT_EQ(committed.status, GANTRY_OK);
  EXPECT_EQ(committed.result, 0);
  const auto got = messages("T", 3);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0]->m.body, "x");
  EXPECT_EQ(got[0]->m.topic, "T");
  EXPECT_EQ(got[0]->m.queue_no, 3u);
  EXPECT_EQ(got[0]->m.sys_flags, 8u | 1u);
  EXPECT_EQ(got[0]->m.flag, 77u);
  EXPECT_EQ(got[0]->m.prepared_pos, static_cast<std::int64_t>(sent.aux));
  EXPECT_EQ(got[0]->m.born_ms, req.born_ms);
  EXPECT_EQ(got[0]->property("TRAN_MSG"), "true") << "by which clients know that it has a transaction id";
  EXPECT_EQ(got[0]->property("PGROUP"), "pg");
  gantry_fetch by_tag = pull(topic_id(), group("g"), 0, "tag");
  by_tag.queue_no = 3;
  EXPECT_EQ(fetch(by_tag).records.size(), 1u);
  EXPECT_EQ(waiting(), 0);
}

TEST_F(Transactions, RolledBackOnesNeverCome) {
  const gantry_cqe sent = half("x");
  EXPECT_EQ(roll_back(sent).status, GANTRY_OK);
  pass_ms(1000);
  EXPECT_TRUE(bodies().empty());
  EXPECT_EQ(waiting(), 0);
  const auto note = messages(kOp);
  ASSERT_EQ(note.size(), 1u);
  EXPECT_EQ(note[0]->m.body, "0");
  EXPECT_EQ(note[0]->property("TAGS"), "d");
}

TEST_F(Transactions, WhatIsEndedTwiceIsEndedOnce) {
  const gantry_cqe first = half("first"), second = half("second");
  EXPECT_EQ(commit(first).result, 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(commit(first).status, GANTRY_OK);
    EXPECT_EQ(commit(first).result, 1) << "ended before";
  }
  EXPECT_EQ(roll_back(second).result, 0);
  EXPECT_EQ(commit(second).result, 1) << "a late commit does not bring it back";
  EXPECT_EQ(roll_back(first).result, 1);
  // At the same time: one wins, the other is told to come again.
  const gantry_cqe third = half("third");
  const std::uint64_t a = begin_end(third.result, static_cast<std::int64_t>(third.aux), GANTRY_END_COMMIT);
  const std::uint64_t b = begin_end(third.result, static_cast<std::int64_t>(third.aux), GANTRY_END_COMMIT);
  const gantry_cqe won = *done_->wait_for(a), other = *done_->wait_for(b);
  EXPECT_EQ(won.status, GANTRY_OK);
  EXPECT_TRUE(other.status == GANTRY_E_AGAIN || (other.status == GANTRY_OK && other.result == 1)) << other.status;
  EXPECT_EQ(bodies(), (Bodies{"first", "third"}));
}

TEST_F(Transactions, EndsThatMeanNothing) {
  const gantry_cqe sent = half("x");
  const gantry_cqe plain = produce(topic_id(), "plain", "PGROUP\1pg\2");
  const auto position = static_cast<std::int64_t>(sent.aux);
  const auto refused = [&](const gantry_cqe &cqe, std::int32_t status, std::uint32_t subject) {
    EXPECT_EQ(cqe.status, status);
    EXPECT_EQ(cqe.flags, subject);
  };
  refused(end(sent, GANTRY_END_COMMIT, "other"), GANTRY_E_INVALID, GANTRY_SUBJECT_GROUP);
  refused(end(sent, GANTRY_END_COMMIT, ""), GANTRY_E_INVALID, GANTRY_SUBJECT_GROUP);
  refused(end(sent.result + 1, position, GANTRY_END_COMMIT), GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE);
  refused(end(0, static_cast<std::int64_t>(plain.aux), GANTRY_END_COMMIT), GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY);
  refused(end(0, position + 1, GANTRY_END_ROLLBACK), GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY);
  refused(end(0, -1, GANTRY_END_ROLLBACK), GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY);
  gantry_end_transaction neither{};
  neither.end = 4;
  host_.on_shard(0, [&] { EXPECT_EQ(part_->end_transaction(neither, done_->id()), GANTRY_E_INVALID); });
  pass_ms(1000);
  EXPECT_EQ(waiting(), 1);
  EXPECT_EQ(bodies(), Bodies{"plain"});
  EXPECT_EQ(commit(sent).status, GANTRY_OK) << "none of it did harm";
}

TEST_F(Transactions, NoDelayNoLooseBits) {
  for (const char *later : {"DELAY\x01" "3\x02", "TIMER_DELAY_MS\x01" "100\x02", "__STARTDELIVERTIME\x01" "1800000000000\x02"}) {
    const gantry_cqe refused = half("x", later);
    EXPECT_EQ(refused.status, GANTRY_E_INVALID) << later;
    EXPECT_EQ(refused.flags, GANTRY_SUBJECT_PROPERTIES);
  }
  gantry_produce loose = message(topic_id(), "x");
  loose.sys_flags = 4;
  EXPECT_EQ(produce(loose).status, GANTRY_E_INVALID);
  // An old client gives a committed message back: delayed, no transaction.
  gantry_produce back = message(topic_id(), "back", "TRAN_MSG\1true\2PGROUP\1pg\2DELAY\1" "1\2");
  back.reconsume_times = 1;
  back.sys_flags = 4;
  EXPECT_EQ(produce(back).status, GANTRY_OK);
  pass_ms(1500);
  EXPECT_EQ(bodies(), Bodies{"back"});
  EXPECT_EQ(messages("T")[0]->m.sys_flags, 0u);
  EXPECT_EQ(waiting(), 0);
}

// One question per round and message, each producer of the group in turn.
TEST_F(Transactions, ProducersAreAskedAboutWhatStaysOpen) {
  connect(kProducer, "pg");
  connect(kSecondProducer, "pg");
  connect(kStranger, "another");
  const gantry_cqe sent = half("x");
  const gantry_cqe ended = half("ended");
  EXPECT_EQ(commit(ended).status, GANTRY_OK);
  pass_ms(29'000);
  EXPECT_TRUE(checks().empty()) << "the first round comes after 30 s";
  pass_ms(2'000);
  auto asked = checks();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].a, sent.result);
  EXPECT_EQ(asked[0].b, static_cast<std::int64_t>(sent.aux));
  EXPECT_EQ(asked[0].object, 1u);
  const gantry_conn first = asked[0].conn;
  EXPECT_TRUE(first == kProducer || first == kSecondProducer);
  pass_ms(30'000);
  asked = checks();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].object, 2u);
  EXPECT_NE(asked[0].conn, first);
  EXPECT_NE(asked[0].conn, kStranger);
  EXPECT_EQ(commit(sent).result, 0) << "the place of the message holds however often it was asked about";
  pass_ms(60'000);
  EXPECT_TRUE(checks().empty());
  EXPECT_EQ(bodies(), (Bodies{"ended", "x"}));
}

TEST_F(Transactions, NotBeforeItsTime) {
  connect(kProducer, "pg");
  pass_ms(25'000);
  (void)half("young");  // 5 s old in the first round
  pass_ms(6'000);
  EXPECT_TRUE(checks().empty());
  pass_ms(30'000);
  EXPECT_EQ(checks().size(), 1u);
}

TEST_F(Transactions, AMessageMayAskForMoreTime) {
  connect(kProducer, "pg");
  (void)half("patient", "CHECK_IMMUNITY_TIME_IN_SECONDS\1" "70\2");
  (void)half("hasty", "CHECK_IMMUNITY_TIME_IN_SECONDS\1" "1\2");
  (void)half("nonsense", "CHECK_IMMUNITY_TIME_IN_SECONDS\1soon\2");
  pass_ms(32'000);
  EXPECT_EQ(checks().size(), 2u);
  pass_ms(30'000);
  EXPECT_EQ(checks().size(), 2u);
  pass_ms(30'000);
  EXPECT_EQ(checks().size(), 3u);
}

TEST(CheckImmunity, IsAtLeastTheTimeoutAndAtMostThreeDays) {
  EXPECT_EQ(broker::check_immunity_ms("", 6000), 6000);
  EXPECT_EQ(broker::check_immunity_ms("5", 6000), 6000);
  EXPECT_EQ(broker::check_immunity_ms("7", 6000), 7000);
  EXPECT_EQ(broker::check_immunity_ms("-7", 6000), 6000);
  EXPECT_EQ(broker::check_immunity_ms("7s", 6000), 6000);
  EXPECT_EQ(broker::check_immunity_ms("9223372036854775807", 6000), broker::kTransactionMaxAgeMs);
}

TEST_F(Transactions, WithoutAProducerNothingIsAskedAndNothingCounted) {
  const gantry_cqe sent = half("x");
  pass_ms(300'000);
  EXPECT_TRUE(checks().empty());
  connect(kProducer, "pg");
  pass_ms(30'000);
  auto asked = checks();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].object, 1u);
  disconnect(kProducer);
  pass_ms(30'000);
  EXPECT_TRUE(checks().empty());
  EXPECT_EQ(commit(sent).result, 0);
}

class TransactionsShort : public Transactions {
 protected:
  void SetUp() override {
    options_.transaction_check_interval_ms = 1000;
    options_.transaction_timeout_ms = 2000;
    options_.transaction_check_max = 3;
    Transactions::SetUp();
  }
};

TEST_F(TransactionsShort, AfterTheLastCheckItIsPutAside) {
  connect(kProducer, "pg");
  const gantry_cqe sent = half("x");
  pass_ms(10'000);
  const auto asked = checks();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[2].object, 3u);
  EXPECT_EQ(waiting(), 0);
  const auto aside = messages(kDiscarded);
  ASSERT_EQ(aside.size(), 1u);
  EXPECT_EQ(aside[0]->m.body, "x");
  EXPECT_EQ(aside[0]->m.sys_flags & 12, 0u);
  EXPECT_EQ(aside[0]->property("REAL_TOPIC"), "T");
  EXPECT_TRUE(host_.logged("was asked about 3 times"));
  EXPECT_EQ(commit(sent).result, 1) << "too late";
  EXPECT_TRUE(bodies().empty());
  EXPECT_EQ(host_.metric("transactions_discarded_total"), 1u);
  EXPECT_EQ(host_.metric("transactions_checks_total"), 3u);
}

TEST_F(TransactionsShort, WhatNobodyEverDecidesIsPutAsideAfterThreeDays) {
  (void)half("x");
  host_.advance_ms(broker::kTransactionMaxAgeMs - 1000);
  pass_ms(500);
  EXPECT_EQ(waiting(), 1);
  pass_ms(3000);
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(bodies(kDiscarded), Bodies{"x"});
}

TEST_F(TransactionsShort, ManyAreAskedAboutInSlicesEachOncePerRound) {
  connect(kProducer, "pg");
  constexpr int kCount = 1000;
  std::vector<gantry_cqe> sent;
  for (int i = 0; i < kCount; ++i) sent.push_back(half(std::to_string(i)));
  pass_ms(2000);
  (void)checks();
  std::map<std::int64_t, int> times;
  pass_ms(1000);
  for (const gantry_event &event : checks()) ++times[event.a];
  EXPECT_EQ(times.size(), static_cast<std::size_t>(kCount));
  for (const auto &[offset, n] : times) EXPECT_EQ(n, 1) << offset;
  for (const gantry_cqe &each : sent) EXPECT_EQ(roll_back(each).status, GANTRY_OK);
  pass_ms(2000);
  (void)checks();
  pass_ms(2000);
  EXPECT_TRUE(checks().empty());
  EXPECT_EQ(host_.metric("transactions_open"), 0u);
}

TEST_F(TransactionsShort, MoreThanTheHeapHoldsAreAllAskedAbout) {
  stop();
  part_ = start({.near_max = 100, .horizon_ms = 500, .load_ahead_ms = 50});
  connect(kProducer, "pg");
  constexpr int kCount = 1000;
  std::map<std::int64_t, gantry_cqe> sent;
  for (int i = 0; i < kCount; ++i) {
    const gantry_cqe half_one = half(std::to_string(i));
    sent[half_one.result] = half_one;
  }
  // What is read again from the index late is asked about a round later, but before it would be given up.
  std::map<std::int64_t, int> times;
  for (int second = 0; second < 12 && times.size() < kCount; ++second) {
    pass_ms(1000);
    for (const gantry_event &event : checks()) {
      EXPECT_EQ(event.b, static_cast<std::int64_t>(sent[event.a].aux));
      EXPECT_EQ(++times[event.a], 1);
      EXPECT_EQ(commit(sent[event.a]).result, 0);
    }
  }
  EXPECT_EQ(times.size(), static_cast<std::size_t>(kCount));
  pass_ms(2000);
  EXPECT_TRUE(checks().empty());
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(host_.metric("transactions_committed_total"), static_cast<std::uint64_t>(kCount));
}

TEST_F(Transactions, ATopicThatIsGoneKeepsItOpen) {
  const gantry_cqe sent = half("x");
  const auto hidden = messages(kHalf);
  ASSERT_EQ(hidden.size(), 1u);
  // A second one for a topic that does not exist.
  broker::RelayItem item;
  item.message = &hidden[0]->m;
  item.topic = broker_->core().half_topic;
  item.props = "REAL_TOPIC\1gone\2REAL_QID\1" "0\2PGROUP\1pg\2";
  item.store_ms = item.tag = hidden[0]->m.store_ms;
  gantry_cqe stored{};
  item.arg = &stored;
  item.done = [](void *arg, std::uint64_t, const gantry_cqe &cqe) { *static_cast<gantry_cqe *>(arg) = cqe; };
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->relay().store(item), GANTRY_OK); });
  turns();
  const gantry_cqe refused = end(static_cast<std::int64_t>(stored.aux), stored.result, GANTRY_END_COMMIT);
  EXPECT_EQ(refused.status, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(refused.flags, GANTRY_SUBJECT_TOPIC);
  EXPECT_TRUE(host_.logged("'gone', which does not exist"));
  pass_ms(100);
  EXPECT_EQ(waiting(), 2);
  EXPECT_EQ(end(static_cast<std::int64_t>(stored.aux), stored.result, GANTRY_END_ROLLBACK).status, GANTRY_OK);
  EXPECT_EQ(commit(sent).status, GANTRY_OK);
  EXPECT_EQ(waiting(), 0);
}

// What is open and what is ended is known from the log alone.
TEST_F(Transactions, ANewOneGoesOnWhereTheLastOneStopped) {
  const gantry_cqe committed = half("committed"), rolled_back = half("rolled back"), open_one = half("open");
  EXPECT_EQ(commit(committed).status, GANTRY_OK);
  EXPECT_EQ(roll_back(rolled_back).status, GANTRY_OK);
  restart();
  EXPECT_EQ(waiting(), 1);
  EXPECT_EQ(commit(committed).result, 1);
  EXPECT_EQ(commit(rolled_back).result, 1);
  connect(kProducer, "pg");
  pass_ms(31'000);
  EXPECT_EQ(checks().size(), 1u);
  EXPECT_EQ(commit(open_one).result, 0);
  EXPECT_EQ(bodies(), (Bodies{"committed", "open"}));
}

TEST_F(Transactions, AnEndThatComesBeforeItIsKnownWhatIsOpenWaits) {
  const gantry_cqe sent = half("x");
  stop();
  part_ = std::make_unique<semantics::Transactions>(broker_->core(), broker_->relay(), broker_->retention_hold());
  const auto started = part_->start();
  ASSERT_TRUE(started) << started.error().text;
  ASSERT_FALSE(part_->queue().ready());
  const gantry_cqe early = commit(sent);
  EXPECT_EQ(early.status, GANTRY_OK);
  EXPECT_EQ(early.result, 0);
  EXPECT_EQ(commit(sent).result, 1);
  EXPECT_EQ(bodies(), Bodies{"x"});
}

TEST_F(Transactions, WhatComesTooLateIsRefused) {
  const gantry_cqe sent = half("x");
  host_.on_shard(0, [&] { part_->drain(); });
  EXPECT_EQ(commit(sent).status, GANTRY_E_CLOSED);
}

// The store keeps its rows in memory only, so the test hands them on; it also can refuse appends.
class TransactionsStore : public TransactionsShort {
 protected:
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    rows_.clear();
    refuse_ = GANTRY_OK;
    patched_ = *real;
    patched_.meta_write = [](void *self, const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) noexcept {
      for (std::uint32_t i = 0; i < n; ++i) {
        if (ops[i].op == GANTRY_META_PUT)
          rows_[std::string(view(ops[i].key))] = view(ops[i].value);
        else
          rows_.erase(std::string(view(ops[i].key)));
      }
      return real_->meta_write(self, ops, n, durability, user_data, cq);
    };
    patched_.append = [](void *self, std::uint32_t shard, const gantry_append *reqs, std::uint32_t n, gantry_cq cq) noexcept {
      return refuse_ != GANTRY_OK ? refuse_ : real_->append(self, shard, reqs, n, cq);
    };
    patched_.retain_from = [](void *self, std::int64_t phys_pos) noexcept {
      retained_from_ = phys_pos;
      return real_->retain_from(self, phys_pos);
    };
    return &patched_;
  }
  void restart_with_rows() {
    stop();
    broker_->core().restored_rows.clear();
    for (const auto &[key, value] : rows_)
      if (key.starts_with("held/")) broker_->core().restored_rows.emplace(key, value);
    part_ = start();
    EXPECT_TRUE(broker_->core().restored_rows.empty()) << "taken";
  }

  static constexpr const char *kCounts = "held/RMQ_SYS_TRANS_HALF_TOPIC/checks/0000000000000000";
  static inline const gantry_store_v1 *real_ = nullptr;
  static inline gantry_store_v1 patched_{};
  static inline std::map<std::string, std::string> rows_;
  static inline std::int32_t refuse_ = GANTRY_OK;
  static inline std::int64_t retained_from_ = 0;
};

TEST_F(TransactionsStore, CountsOfChecksOutliveTheBroker) {
  connect(kProducer, "pg");
  (void)half("x");
  pass_ms(3000);
  const std::size_t before = checks().size();
  ASSERT_GE(before, 1u);
  ASSERT_LT(before, 3u);
  ASSERT_TRUE(rows_.contains(kCounts));
  restart_with_rows();
  pass_ms(6000);
  EXPECT_EQ(checks().size() + before, 3u);
  EXPECT_EQ(bodies(kDiscarded), Bodies{"x"});
  pass_ms(2000);
  EXPECT_FALSE(rows_.contains(kCounts)) << "of no use any more";
}

TEST_F(TransactionsStore, DamagedCountsStopTheStart) {
  stop();
  for (const auto &[key, value] : {std::pair{std::string(kCounts), std::string("\2")}, {std::string(kCounts), std::string("\1\0\1\0", 4)}, {"held/RMQ_SYS_TRANS_HALF_TOPIC/checks/zz", "\1"}}) {
    broker_->core().restored_rows = {{key, value}};
    semantics::Transactions refused(broker_->core(), broker_->relay(), broker_->retention_hold());
    const auto started = refused.start();
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().text.find(key), std::string::npos) << started.error().text;
    refused.stop();
  }
  broker_->core().restored_rows.clear();
  part_ = start();
}

TEST_F(TransactionsStore, WhatTheStoreRefusesStaysOpen) {
  connect(kProducer, "pg");
  const gantry_cqe sent = half("x");
  refuse_ = GANTRY_E_NO_SPACE;
  gantry_cqe cqe = commit(sent);
  EXPECT_EQ(cqe.status, GANTRY_E_NO_SPACE);
  EXPECT_EQ(cqe.flags, GANTRY_SUBJECT_STORE);
  EXPECT_EQ(roll_back(sent).status, GANTRY_E_NO_SPACE);
  refuse_ = GANTRY_OK;
  pass_ms(2000);
  (void)checks();
  pass_ms(1000);
  EXPECT_EQ(checks().size(), 1u) << "asked about once per round all the same";
  EXPECT_EQ(commit(sent).result, 0);
  EXPECT_EQ(bodies(), Bodies{"x"});
}

TEST_F(TransactionsStore, TheLogIsHeldForWhatIsOpen) {
  (void)produce(topic_id(), "before");
  const gantry_cqe first = half("first"), second = half("second");
  pass_ms(500);
  EXPECT_LE(retained_from_, static_cast<std::int64_t>(first.aux));
  EXPECT_EQ(commit(first).status, GANTRY_OK);
  pass_ms(70'000);
  EXPECT_LE(retained_from_, static_cast<std::int64_t>(second.aux));
  EXPECT_EQ(commit(second).status, GANTRY_OK);
  pass_ms(70'000);
  EXPECT_GT(retained_from_, static_cast<std::int64_t>(second.aux)) << "ended, and in the checkpoint";
}

}  // namespace
}  // namespace gantry::test
