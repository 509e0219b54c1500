// Meta rows: limits, counting, completions; over a restart also their values, order and atomicity.
#include "fixture.h"

namespace gantry::test {
namespace {

using Rows = std::map<std::string, std::string>;

class Meta : public StoreContract {
 protected:
  struct Op {
    std::uint32_t op;
    std::string key, value;
  };
  static Op put(std::string key, std::string value) { return {GANTRY_META_PUT, std::move(key), std::move(value)}; }
  static Op erase(std::string key) { return {GANTRY_META_DELETE, std::move(key), ""}; }

  std::int32_t request(const std::vector<Op> &ops, gantry_cq cq, std::uint64_t user_data = 0, std::uint32_t level = GANTRY_DURABILITY_DEFAULT) {
    std::vector<gantry_meta_op> c;
    for (const Op &op : ops) c.push_back({op.op, 0, str_of(op.key), str_of(op.value)});
    std::int32_t rc = 0;
    host().on_shard(0, [&] { rc = store().table().meta_write(store().self(), c.data(), static_cast<std::uint32_t>(c.size()), level, user_data, cq); });
    return rc;
  }
  void write(const std::vector<Op> &ops) {
    CompletionLog done(host());
    ASSERT_GE(request(ops, done.id(), 8), 0);
    EXPECT_EQ(done.count(), 0u);
    const auto cqe = done.wait_for(8);
    ASSERT_TRUE(cqe);
    EXPECT_EQ(cqe->status, GANTRY_OK);
    EXPECT_EQ(done.times(8), 1u);
  }
  // Restarts a store that keeps; the rows must then be these. Others: only their number is visible.
  void expect_rows(const Rows &rows) {
    (void)host().wait_until([&] { return store().stats().meta_rows == rows.size(); });
    EXPECT_EQ(store().stats().meta_rows, rows.size());
    if (!keeps_over_restart()) return;
    reopen();
    EXPECT_EQ(store().recovered_meta(), rows);
    EXPECT_EQ(store().stats().meta_rows, rows.size());
  }
};

TEST_F(Meta, RowsArePutOverwrittenAndDeleted) {
  write({put("a", "1"), put("b", "2"), put("c", "")});
  expect_rows({{"a", "1"}, {"b", "2"}, {"c", ""}});
  write({put("a", "other"), erase("b")});
  write({put("d", "4")});
  expect_rows({{"a", "other"}, {"c", ""}, {"d", "4"}});
}

TEST_F(Meta, OpsOfOneCallHoldInTheirOrder) {
  write({put("k", "1"), erase("k"), put("k", "2"), put("x", "1"), put("x", "2"), erase("x")});
  expect_rows({{"k", "2"}});
}

TEST_F(Meta, CallsHoldInTheirOrderWithoutWaiting) {
  CompletionLog done(host());
  std::size_t accepted = 0;
  for (int i = 0; i < 500; ++i) {
    const auto user_data = static_cast<std::uint64_t>(i);
    ASSERT_TRUE(host().wait_until([&] {
      const std::int32_t rc = request({put("counter", std::to_string(i)), put("row" + std::to_string(i % 10), std::to_string(i))}, done.id(), user_data);
      EXPECT_TRUE(rc >= 0 || rc == GANTRY_E_AGAIN) << rc;
      return rc >= 0;
    }));
    ++accepted;
  }
  ASSERT_TRUE(done.wait_count(accepted));
  Rows rows{{"counter", "499"}};
  for (int i = 490; i < 500; ++i) rows["row" + std::to_string(i % 10)] = std::to_string(i);
  expect_rows(rows);
}

TEST_F(Meta, KeysAndValuesAreBytesUpToTheirLimits) {
  Rows rows{{std::string("a\0b", 3), std::string("v\0\xff", 3)}, {std::string(1024, 'k'), filled(100000, 3)}, {"\xff\xff", "high"}, {"/", "slash"}};
  std::vector<Op> ops;
  for (const auto &[key, value] : rows) ops.push_back(put(key, value));
  write(ops);
  expect_rows(rows);
}

TEST_F(Meta, AValueOfOneMebibyteIsKept) {
  const Rows rows{{"big", filled(1 << 20, 9)}};
  CompletionLog done(host());
  const std::int32_t rc = request({put("big", rows.at("big"))}, done.id(), 1);
  ASSERT_GE(rc, 0) << "the interface promises values of up to 1 MiB";
  const auto cqe = done.wait_for(1);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->status, GANTRY_OK);
  expect_rows(rows);
}

TEST_F(Meta, BeyondTheLimitsTheWholeCallIsRefused) {
  CompletionLog done(host());
  const auto refused = [&](const std::vector<Op> &ops) {
    const std::int32_t rc = request(ops, done.id());
    EXPECT_TRUE(rc == GANTRY_E_LIMIT || rc == GANTRY_E_INVALID) << rc;
  };
  refused({put("good", "1"), put("", "empty key")});
  refused({put("good", "1"), put(std::string(1025, 'k'), "v")});
  refused({put("good", "1"), put("k", std::string((1 << 20) + 1, 'v'))});
  refused({put("good", "1"), {3, "k", "unknown op"}});
  refused({put("good", "1"), {0, "k", "unknown op"}});
  for (int i = 0; i < 5; ++i) host().turn(1);
  EXPECT_EQ(done.count(), 0u);
  expect_rows({});
}

TEST_F(Meta, WithoutAQueueNoCompletionIsMade) {
  ASSERT_GE(request({put("quiet", "1")}, 0), 0);
  write({put("loud", "2")});
  expect_rows({{"loud", "2"}, {"quiet", "1"}});
}

TEST_F(Meta, ControlMayWriteToo) {
  const gantry_meta_op op{GANTRY_META_PUT, 0, str_of("from"), str_of("control")};
  CompletionLog done(host());
  std::int32_t rc = -1;
  host().on_control([&] { rc = store().table().meta_write(store().self(), &op, 1, GANTRY_DURABILITY_DEFAULT, 6, done.id()); });
  ASSERT_GE(rc, 0);
  ASSERT_TRUE(done.wait_for(6));
  expect_rows({{"from", "control"}});
}

TEST_F(Meta, EachLevelCompletesOrIsRefused) {
  CompletionLog done(host());
  for (const std::uint32_t level : {GANTRY_DURABILITY_MEMORY, GANTRY_DURABILITY_WRITTEN, GANTRY_DURABILITY_DURABLE}) {
    const std::int32_t rc = request({put("level", std::to_string(level))}, done.id(), level, level);
    if (level > suite().strongest) {
      EXPECT_EQ(rc, GANTRY_E_UNSUPPORTED);
      continue;
    }
    ASSERT_GE(rc, 0);
    const auto cqe = done.wait_for(level);
    ASSERT_TRUE(cqe);
    EXPECT_EQ(cqe->status, GANTRY_OK);
  }
  EXPECT_LT(request({put("level", "x")}, done.id(), 9, 4), 0) << "unknown level";
}

TEST_F(Meta, RowsAndRecordsMixedUnderLoadAllArrive) {
  const gantry_queue queue = store().queue("A");
  CompletionLog rows_done(host());
  Rows rows;
  for (int round = 0; round < 20; ++round) {
    std::vector<Message> messages(50, message(queue, filled(3000, static_cast<std::uint64_t>(round))));
    for (int i = 0; i < 10; ++i) {
      const std::string key = "k" + std::to_string(i), value = std::to_string(round * 10 + i);
      ASSERT_TRUE(host().wait_until([&] { return request({put(key, value)}, rows_done.id(), static_cast<std::uint64_t>(i)) >= 0; }));
      rows[key] = value;
    }
    append_all(store(), messages, 25);
  }
  ASSERT_TRUE(rows_done.wait_count(200));
  EXPECT_EQ(store().stat(queue).max_off, 1000);
  expect_rows(rows);
}

}  // namespace
}  // namespace gantry::test
