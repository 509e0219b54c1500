// Deleting topics and groups, settings of groups, counters, queues entry by entry.
#include "broker_fixture.hpp"

#include <map>

namespace gantry::test {
namespace {

class Admin : public BrokerTest {
 protected:
  // Status of the call, or of its completion.
  std::int32_t delete_topic(const std::string &name) {
    const std::uint64_t user_data = ++next_user_data_;
    gantry_error err{};
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->admin().topic_delete(name, user_data, done_->id(), &err); });
    last_error_ = err.text;
    return status != GANTRY_OK ? status : done_->wait_for(user_data).value_or(gantry_cqe{0, 0, 0, -99, 0}).status;
  }
  std::int32_t delete_group(const std::string &name, bool drop_offsets) {
    const std::uint64_t user_data = ++next_user_data_;
    gantry_error err{};
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->admin().group_delete(name, drop_offsets, user_data, done_->id(), &err); });
    return status != GANTRY_OK ? status : done_->wait_for(user_data).value_or(gantry_cqe{0, 0, 0, -99, 0}).status;
  }
  static gantry_group_settings settings(std::string_view name) {  // of a literal
    gantry_group_settings s{};
    s.size = sizeof s;
    s.flags = GANTRY_GROUP_DEFAULT_FLAGS;
    s.name = str(name);
    s.retry_queues = 1;
    s.retry_max_times = 16;
    return s;
  }
  std::int32_t put_group(const gantry_group_settings &s) {
    const std::uint64_t user_data = ++next_user_data_;
    gantry_error err{};
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->admin().group_upsert(s, user_data, done_->id(), &err); });
    last_error_ = err.text;
    return status != GANTRY_OK ? status : done_->wait_for(user_data).value_or(gantry_cqe{0, 0, 0, -99, 0}).status;
  }
  std::int32_t commit(gantry_group g, gantry_topic t, std::int64_t offset) {
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->offset_commit(g, t, 0, offset, 0, 0); });
    return status;
  }
  // -1: nothing committed.
  std::int64_t committed(gantry_group g, gantry_topic t) {
    std::int64_t offset = -1;
    host_.on_shard(0, [&] { (void)broker_->offset_query(g, t, 0, GANTRY_OFFSET_EXACT, &offset); });
    return offset;
  }
  std::map<std::string, std::int64_t> all_committed() {
    std::map<std::string, std::int64_t> out;
    const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
      (*static_cast<std::map<std::string, std::int64_t> *>(arg))[std::string(view(row->topic_name)) + "@" + std::string(view(row->group_name))] = row->offset;
    };
    broker_->offset_list(0, 0, add, &out);
    return out;
  }
  std::string last_error_;
};

TEST_F(Admin, ADeletedTopicIsGoneAndANewOneOfItsNameIsEmpty) {
  const gantry_topic t = topic("T");
  const gantry_group g = group("G");
  for (const char *body : {"a", "b"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  ASSERT_EQ(commit(g, t, 2), GANTRY_OK);
  const std::int64_t counter = broker_->topics_version().counter;
  const std::size_t events = events_.all.size();
  EXPECT_EQ(delete_topic("T"), GANTRY_OK);
  EXPECT_GT(broker_->topics_version().counter, counter);
  ASSERT_EQ(events_.all.size(), events + 1);
  EXPECT_EQ(events_.all.back().kind, GANTRY_EVENT_TOPICS_CHANGED);
  gantry_topic_info info{};
  EXPECT_EQ(broker_->topic_find("T", &info), GANTRY_E_NOT_FOUND);
  const gantry_cqe sent = produce(t, "c");
  EXPECT_EQ(sent.status, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(sent.flags, GANTRY_SUBJECT_TOPIC);
  EXPECT_EQ(fetch(pull(t, g, 0)).status, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(commit(g, t, 1), GANTRY_E_NOT_FOUND);
  EXPECT_TRUE(all_committed().empty());

  const gantry_topic again = topic("T");
  EXPECT_NE(again, t);
  EXPECT_EQ(fetch(pull(again, g, 0)).outcome, GANTRY_FETCH_NO_NEW);
  EXPECT_EQ(committed(g, again), -1);
  EXPECT_EQ(produce(again, "new").result, 0) << "offsets count from the beginning";
  EXPECT_EQ(fetch(pull(again, g, 0)).records.size(), 1u);
}

TEST_F(Admin, WhoWaitsForADeletedTopicIsTold) {
  const gantry_topic t = topic("T");
  const gantry_fetch waiting = pull(t, group("G"), 0, "*", 60'000);
  submit(waiting);
  EXPECT_FALSE(answered(waiting));
  EXPECT_EQ(delete_topic("T"), GANTRY_OK);
  const Fetched told = result(waiting);
  EXPECT_EQ(told.status, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(told.subject, GANTRY_SUBJECT_TOPIC);
}

TEST_F(Admin, UnknownTopicsAreDeletedAlreadyAndBuiltInOnesStay) {
  EXPECT_EQ(delete_topic("never"), GANTRY_OK);
  for (const char *name : {"TBW102", "SCHEDULE_TOPIC_XXXX", "DefaultCluster", "BenchmarkTest"}) {
    EXPECT_EQ(delete_topic(name), GANTRY_E_DENIED) << name;
    EXPECT_NE(last_error_.find("system topic"), std::string::npos);
    gantry_topic_info info{};
    EXPECT_EQ(broker_->topic_find(name, &info), GANTRY_OK);
  }
}

TEST_F(Admin, OtherTopicsKeepTheirOffsets) {
  const gantry_topic t = topic("T"), u = topic("U");
  const gantry_group g = group("G");
  ASSERT_EQ(commit(g, t, 2), GANTRY_OK);
  ASSERT_EQ(commit(g, u, 3), GANTRY_OK);
  EXPECT_EQ(delete_topic("T"), GANTRY_OK);
  EXPECT_EQ(all_committed(), (std::map<std::string, std::int64_t>{{"U@G", 3}}));
  // What is written lazily next must not bring the deleted one back or fail on it.
  host_.advance_ms(2000);
  for (int i = 0; i < 5; ++i) host_.turn();
  EXPECT_EQ(all_committed().size(), 1u);
}

TEST_F(Admin, PopRetryTopicsGoWithTheirTopic) {
  const gantry_topic t = topic("T");
  ASSERT_EQ(commit(group("G"), t, 0), GANTRY_OK);
  (void)topic("%RETRY%G_T", 1);
  (void)topic("%RETRY%other_T", 1);
  EXPECT_EQ(delete_topic("T"), GANTRY_OK);
  gantry_topic_info info{};
  EXPECT_EQ(broker_->topic_find("%RETRY%G_T", &info), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(broker_->topic_find("%RETRY%other_T", &info), GANTRY_OK);
}

TEST_F(Admin, GroupsAreMadeChangedAndListed) {
  gantry_group_settings s = settings("G");
  s.flags = GANTRY_GROUP_CONSUME;
  s.retry_max_times = 3;
  s.broker_id = 7;
  EXPECT_EQ(put_group(s), GANTRY_OK);
  gantry_group_settings out{};
  ASSERT_EQ(broker_->admin().group_settings("G", &out), GANTRY_OK);
  EXPECT_EQ(out.flags, GANTRY_GROUP_CONSUME);
  EXPECT_EQ(out.retry_max_times, 3u);
  EXPECT_EQ(out.broker_id, 7);
  EXPECT_EQ(view(out.name), "G");
  const std::int64_t counter = broker_->admin().groups_version().counter;
  EXPECT_EQ(put_group(settings("G")), GANTRY_OK);
  EXPECT_GT(broker_->admin().groups_version().counter, counter);
  std::vector<std::string> names;
  broker_->admin().group_list([](void *arg, const gantry_group_settings *g) noexcept { static_cast<std::vector<std::string> *>(arg)->emplace_back(view(g->name)); }, &names);
  EXPECT_NE(std::find(names.begin(), names.end(), "G"), names.end());
  EXPECT_NE(std::find(names.begin(), names.end(), "TOOLS_CONSUMER"), names.end());
  EXPECT_EQ(broker_->admin().group_settings("H", &out), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(put_group(settings("a b")), GANTRY_E_INVALID);
  EXPECT_EQ(put_group(settings("")), GANTRY_E_INVALID);
  s.retry_queues = 70'000;
  EXPECT_EQ(put_group(s), GANTRY_E_LIMIT);
}

TEST_F(Admin, SettingsOfAGroupAreObeyed) {
  const gantry_topic t = topic("T");
  const gantry_group g = group("G");
  gantry_group_settings s = settings("G");
  s.flags &= ~GANTRY_GROUP_CONSUME;
  ASSERT_EQ(put_group(s), GANTRY_OK);
  const Fetched refused = fetch(pull(t, g, 0));
  EXPECT_EQ(refused.status, GANTRY_E_DENIED);
  EXPECT_EQ(refused.subject, GANTRY_SUBJECT_GROUP);
  s.flags |= GANTRY_GROUP_CONSUME;
  s.retry_queues = 3;
  ASSERT_EQ(put_group(s), GANTRY_OK);
  EXPECT_EQ(fetch(pull(t, g, 0)).status, GANTRY_OK);
  gantry_topic_info retry{};
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->topic_ensure("%RETRY%G", {}, 1, 0, &retry, nullptr), GANTRY_OK); });
  EXPECT_EQ(retry.write_queues, 3u);
}

TEST_F(Admin, ADeletedGroupComesBackWithOrWithoutItsOffsets) {
  const gantry_topic t = topic("T");
  const gantry_group g = group("G");
  gantry_group_settings s = settings("G");
  s.retry_max_times = 1;
  ASSERT_EQ(put_group(s), GANTRY_OK);
  ASSERT_EQ(commit(g, t, 5), GANTRY_OK);
  EXPECT_EQ(delete_group("G", false), GANTRY_OK);
  EXPECT_EQ(fetch(pull(t, g, 0)).status, GANTRY_E_NOT_FOUND);
  EXPECT_TRUE(all_committed().empty()) << "tools do not see a group that is not there";
  gantry_group again = group("G");
  EXPECT_EQ(committed(again, t), 5);
  gantry_group_settings out{};
  ASSERT_EQ(broker_->admin().group_settings("G", &out), GANTRY_OK);
  EXPECT_EQ(out.retry_max_times, 16u) << "settings are new";
  EXPECT_EQ(delete_group("G", true), GANTRY_OK);
  again = group("G");
  EXPECT_EQ(committed(again, t), -1);
  EXPECT_EQ(delete_group("never", true), GANTRY_OK);
}

TEST_F(Admin, RowsOfGroupsAreReadBack) {
  gantry_group_settings s = settings("G");
  s.flags = GANTRY_GROUP_ORDERLY;
  s.retry_queues = 2;
  s.retry_max_times = 9;
  s.broker_id = 1;
  s.slow_broker_id = 2;
  s.sys_flag = 4;
  s.consume_timeout_min = 20;
  const broker::GroupSettings wanted = broker::settings_of(s);
  const auto back = broker::decode_group(broker::encode_group(wanted));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, wanted);
  const auto plain = broker::decode_group("");
  ASSERT_TRUE(plain);
  EXPECT_EQ(*plain, broker::GroupSettings{});
  EXPECT_TRUE(broker::encode_group({}).empty()) << "as before there were settings";
  std::string row = broker::encode_group(wanted);
  row[0] = 2;
  EXPECT_FALSE(broker::decode_group(row));
  EXPECT_FALSE(broker::decode_group(std::string_view(row).substr(0, 20)));
}

TEST_F(Admin, QueuesAreReadEntryByEntry) {
  const gantry_topic t = topic("T");
  (void)produce(t, "a", "TAGS\x01" "A");
  (void)produce(t, "b");
  gantry_queue_read req{++next_user_data_, t, 0, 0, 10, 1 << 20, 0};
  const auto read = [&] {
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->admin().queue_read(req, done_->id()); });
    return status;
  };
  ASSERT_EQ(read(), GANTRY_OK);
  auto cqe = done_->wait_for(req.user_data);
  ASSERT_TRUE(cqe.has_value() && cqe->status == GANTRY_OK);
  const auto *r = reinterpret_cast<const gantry_fetch_result *>(cqe->aux);
  ASSERT_EQ(r->n, 2u);
  EXPECT_EQ(r->records[0].tag, 65);
  EXPECT_GT(r->records[0].bytes.n, 80u);
  r->owner->release(r->owner);
  req = {++next_user_data_, t, 1, 0, 1, 1, GANTRY_READ_INDEX_ONLY};
  ASSERT_EQ(read(), GANTRY_OK);
  cqe = done_->wait_for(req.user_data);
  ASSERT_TRUE(cqe.has_value() && cqe->status == GANTRY_OK);
  r = reinterpret_cast<const gantry_fetch_result *>(cqe->aux);
  ASSERT_EQ(r->n, 1u);
  EXPECT_EQ(r->records[0].store_ms, 1'700'000'000'000);
  r->owner->release(r->owner);
  req.queue_no = 1;
  EXPECT_EQ(read(), GANTRY_E_NOT_FOUND) << "never used";
  req.queue_no = 9;
  EXPECT_EQ(read(), GANTRY_E_NOT_FOUND);
  req.queue_no = 0;
  req.max_records = 0;
  EXPECT_EQ(read(), GANTRY_E_INVALID);
  req.max_records = 1;
  req.topic = 999;
  EXPECT_EQ(read(), GANTRY_E_NOT_FOUND);
}

TEST_F(Admin, TrafficIsCountedPerTopicAndGroup) {
  const gantry_topic t = topic("T");
  const gantry_group g = group("G");
  gantry_stat stat{};
  EXPECT_EQ(broker_->admin().stat(GANTRY_STAT_TOPIC_PUT, "T", {}, &stat), GANTRY_E_NOT_FOUND);
  const auto sample = [&] {
    host_.advance_ms(10'000);
    for (int i = 0; i < 5; ++i) host_.turn();
  };
  (void)produce(t, "first");
  sample();
  for (int i = 0; i < 6; ++i) (void)produce(t, "m");
  (void)fetch(pull(t, g, 0));
  sample();
  ASSERT_EQ(broker_->admin().stat(GANTRY_STAT_TOPIC_PUT, "T", {}, &stat), GANTRY_OK);
  EXPECT_EQ(stat.messages, 7);
  EXPECT_EQ(stat.minute.messages, 6);
  EXPECT_GT(stat.minute.bytes, 6 * 80);
  EXPECT_GE(stat.minute.span_ms, 9'000);
  ASSERT_EQ(broker_->admin().stat(GANTRY_STAT_GROUP_GET, "T", "G", &stat), GANTRY_OK);
  EXPECT_EQ(stat.messages, 7);
  EXPECT_EQ(broker_->admin().stat(GANTRY_STAT_GROUP_GET, "T", "H", &stat), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(broker_->admin().stat(GANTRY_STAT_GROUP_GET, "U", "G", &stat), GANTRY_E_NOT_FOUND);
  gantry_broker_runtime runtime{};
  broker_->admin().runtime(&runtime);
  EXPECT_EQ(runtime.put_messages, 7);
  EXPECT_EQ(runtime.get_messages, 7);
  EXPECT_NEAR(runtime.put_per_s[0], 0.6, 0.1);
  EXPECT_EQ(delete_topic("T"), GANTRY_OK);
  (void)topic("T");
  EXPECT_EQ(broker_->admin().stat(GANTRY_STAT_GROUP_GET, "T", "G", &stat), GANTRY_E_NOT_FOUND);
}

// A store that does not take some rows.
class AdminRefused : public Admin {
 protected:
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    refuse_ = GANTRY_OK;
    patched_ = *real;
    patched_.meta_write = [](void *self, const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) noexcept {
      for (std::uint32_t i = 0; i < n; ++i)
        if (refuse_ != GANTRY_OK && ops[i].op == op_ && view(ops[i].key) == "deleted/T") return refuse_;
      return real_->meta_write(self, ops, n, durability, user_data, cq);
    };
    return &patched_;
  }
  std::int32_t make(const std::string &name) {
    gantry_topic_info info{};
    info.name = str(name);
    info.perm = GANTRY_PERM_READ | GANTRY_PERM_WRITE;
    info.read_queues = info.write_queues = 1;
    gantry_error err{};
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->topic_upsert(info, &err); });
    return status;
  }
  static inline const gantry_store_v1 *real_ = nullptr;
  static inline gantry_store_v1 patched_{};
  static inline std::int32_t refuse_ = GANTRY_OK;
  static inline std::uint32_t op_ = 0;
};

TEST_F(AdminRefused, WhatTheStoreDoesNotTakeChangesNothing) {
  const gantry_topic t = topic("T");
  const gantry_group g = group("G");
  ASSERT_EQ(produce(t, "a").status, GANTRY_OK);
  ASSERT_EQ(commit(g, t, 1), GANTRY_OK);
  op_ = GANTRY_META_PUT;
  refuse_ = GANTRY_E_NO_SPACE;
  EXPECT_EQ(delete_topic("T"), GANTRY_E_NO_SPACE);
  EXPECT_EQ(fetch(pull(t, g, 0)).records.size(), 1u);
  EXPECT_EQ(committed(g, t), 1);
  refuse_ = GANTRY_OK;
  EXPECT_EQ(delete_topic("T"), GANTRY_OK);
}

TEST_F(AdminRefused, ANameIsFreeWhenItsDeletionIsWritten) {
  (void)topic("T");
  op_ = GANTRY_META_DELETE;
  for (const std::int32_t refusal : {GANTRY_E_AGAIN, GANTRY_E_NO_SPACE}) {
    refuse_ = refusal;
    const std::uint64_t user_data = ++next_user_data_;
    gantry_error err{};
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->admin().topic_delete("T", user_data, done_->id(), &err), GANTRY_OK); });
    host_.turn();
    gantry_topic_info info{};
    EXPECT_EQ(broker_->topic_find("T", &info), GANTRY_E_NOT_FOUND);
    EXPECT_EQ(done_->times(user_data), refusal == GANTRY_E_AGAIN ? 0u : 1u) << "a busy store is asked again, a full one is told of";
    EXPECT_EQ(make("T"), GANTRY_E_AGAIN);
    EXPECT_EQ(make("U"), GANTRY_OK);
    refuse_ = GANTRY_OK;
    host_.advance_ms(1500);
    for (int i = 0; i < 5; ++i) host_.turn();
    EXPECT_EQ(done_->times(user_data), 1u);
    EXPECT_EQ(make("T"), GANTRY_OK);
  }
}

}  // namespace
}  // namespace gantry::test
