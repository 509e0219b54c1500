// Appends whose body is that of an earlier record: a read gives the whole record, for as long as it is kept.
#include "fixture.h"

#include <functional>

namespace gantry::test {
namespace {

constexpr std::size_t kBodyBytes = 64u << 10;

// A record of a head and a tail with base_bytes of another one between them.
struct Overlay {
  Message own;  // head, cut, tail
  std::int64_t base_pos = 0;
  std::uint32_t base_skip = 0, base_bytes = 0;
  std::string body;  // what the base has there

  [[nodiscard]] std::string expected() const {
    std::string whole = own.expected();
    return whole.insert(own.cuts[0], body);
  }
};

class Base : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    if (!suite().bases) GTEST_SKIP() << "this store refers to no bodies, see ABaseThatCannotBeHad...";
  }

  // The body of `of`, a record made by message(): from behind the layout's head to just before topic and properties.
  static Overlay overlay(gantry_queue queue, std::int64_t base_pos, std::uint32_t skip, std::string body, std::uint64_t seed = 1) {
    Overlay out;
    out.own = message(queue, filled(20 + seed % 50, seed), static_cast<std::int64_t>(seed));
    out.own.cuts = {kRecordHeadBytes};
    out.base_pos = base_pos;
    out.base_skip = skip;
    out.base_bytes = static_cast<std::uint32_t>(body.size());
    out.body = std::move(body);
    return out;
  }
  // Inline code; change what the test is about in `spoil`.
  std::int32_t try_overlay(Overlay &one, gantry_cq cq, const std::function<void(gantry_append &)> &spoil = [](gantry_append &) {}) {
    AppendBatch batch(&one.own, 1, 7);
    gantry_append &request = *batch.data();
    request.base_pos = one.base_pos;
    request.base_skip = one.base_skip;
    request.base_bytes = one.base_bytes;
    request.bytes += one.base_bytes;
    spoil(request);
    return try_request(request, cq);
  }
  // A store may have to get ready for the first one, and is asked again until it has.
  void append(Overlay &one) {
    CompletionLog done(host());
    std::int32_t rc = GANTRY_E_STALE;
    ASSERT_TRUE(host().wait_until([&] { return (rc = try_overlay(one, done.id())) != GANTRY_E_STALE; })) << "never taken";
    ASSERT_EQ(rc, 1);
    const std::optional<gantry_cqe> cqe = done.wait_for(7);
    ASSERT_TRUE(cqe.has_value());
    ASSERT_EQ(cqe->status, GANTRY_OK);
    EXPECT_EQ(static_cast<std::int64_t>(cqe->aux), one.own.offsets[0]);
    one.own.phys_pos = cqe->result;
  }
  void get_ready() {
    const gantry_queue queue = store().queue("ready");
    const Message base = append_one(store(), message(queue, filled(1000, 77)));
    Overlay over = overlay(queue, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, 1000));
    append(over);
  }
};

TEST_F(Base, EveryWayToReadGivesTheWholeRecord) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  const Message base = append_one(store(), message(a, filled(kBodyBytes, 1)));
  Overlay over = overlay(b, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, kBodyBytes));
  over.own.key_hashes = {42};
  append(over);
  const Message plain = append_one(store(), message(b, "plain"));
  EXPECT_EQ(store().read_at(over.own.phys_pos).bytes(0), over.expected());
  EXPECT_EQ(store().query_key(42).bytes(0), over.expected());
  const ReadResult got = store().read(b, 0);
  ASSERT_EQ(got->n, 2u);
  EXPECT_EQ(got.bytes(0), over.expected());
  EXPECT_EQ(got->records[0].tag, 1);
  EXPECT_EQ(got->records[0].phys_pos, over.own.phys_pos);
  EXPECT_EQ(got->records[0].store_ms, over.own.store_ms);
  EXPECT_EQ(got.bytes(1), plain.expected());
  EXPECT_EQ(store().read_at(base.phys_pos).bytes(0), base.expected());
}

TEST_F(Base, ABaseMayHaveABaseAndBePartOfOne) {
  const gantry_queue queue = store().queue("A");
  const Message first = append_one(store(), message(queue, filled(5000, 3)));
  Overlay second = overlay(queue, first.phys_pos, kRecordHeadBytes + 100, first.bytes.substr(kRecordHeadBytes + 100, 3000), 2);
  append(second);
  // From the second's own head into the body that is the first's.
  const std::string whole = second.expected();
  Overlay third = overlay(queue, second.own.phys_pos, kRecordHeadBytes - 8, whole.substr(kRecordHeadBytes - 8, 1500), 3);
  append(third);
  EXPECT_EQ(store().read_at(third.own.phys_pos).bytes(0), third.expected());
  EXPECT_EQ(read_queue(store(), queue).at(2), third.expected());
}

TEST_F(Base, NothingButTheBaseIsARecordToo) {
  const gantry_queue queue = store().queue("A");
  const Message base = append_one(store(), message(queue, filled(3000, 4)));
  Overlay all = overlay(queue, base.phys_pos, 0, base.expected());
  all.own.bytes.clear();
  all.own.cuts = {0};
  all.own.fix = false;
  append(all);
  EXPECT_EQ(store().read_at(all.own.phys_pos).bytes(0), base.expected());
}

TEST_F(Base, ItsBytesAreNotWrittenAgain) {
  const gantry_queue queue = store().queue("A");
  const Message base = append_one(store(), message(queue, filled(kBodyBytes, 5)));
  get_ready();
  const std::uint64_t before = store().stats().bytes_written_total;
  for (std::uint64_t i = 0; i < 4; ++i) {
    Overlay over = overlay(queue, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, kBodyBytes), i);
    append(over);
  }
  const std::uint64_t with_base = store().stats().bytes_written_total - before;
  (void)append_one(store(), message(queue, filled(kBodyBytes, 6)));
  const std::uint64_t whole = store().stats().bytes_written_total - before - with_base;
  EXPECT_LT(with_base, whole) << "four of them cost less than one whole record";
}

TEST_F(Base, TheBytesOfAReadCountTheBody) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  const Message base = append_one(store(), message(a, filled(kBodyBytes, 7)));
  for (std::uint64_t i = 0; i < 3; ++i) {
    Overlay over = overlay(b, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, kBodyBytes), i);
    append(over);
  }
  gantry_read request = read_of(b, 0);
  request.max_bytes = 2 * kBodyBytes + 1000;
  const ReadResult got = store().read(request);
  EXPECT_EQ(got->n, 2u);
  EXPECT_EQ(got->stop, GANTRY_STOP_LIMIT);
  EXPECT_EQ(got->next_off, 2);
}

TEST_F(Base, WhatIsNotThereIsRefusedAndLeavesNoTrace) {
  const gantry_queue queue = store().queue("A"), other = store().queue("B");
  const Message base = append_one(store(), message(queue, filled(1000, 8)));
  const auto whole_bytes = static_cast<std::uint32_t>(base.bytes.size());
  get_ready();
  CompletionLog done(host());
  const auto refusal = [&](const std::function<void(gantry_append &)> &spoil) {
    Overlay over = overlay(other, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, 1000));
    return try_overlay(over, done.id(), spoil);
  };
  for (const std::int64_t pos : {base.phys_pos + 1, base.phys_pos + 88, std::int64_t{-1}, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(refusal([&](gantry_append &r) { r.base_pos = pos; }), GANTRY_E_NOT_FOUND) << pos;
  }
  EXPECT_EQ(refusal([&](gantry_append &r) { r.base_skip = whole_bytes - 999; }), GANTRY_E_INVALID) << "one byte past its end";
  EXPECT_EQ(refusal([&](gantry_append &r) { r.base_skip = UINT32_MAX; }), GANTRY_E_INVALID);
  EXPECT_EQ(refusal([&](gantry_append &r) { r.bytes -= 1; }), GANTRY_E_INVALID) << "not the sum";
  EXPECT_EQ(refusal([&](gantry_append &r) { r.bytes -= r.base_bytes; }), GANTRY_E_INVALID) << "the sum without the base";
  EXPECT_EQ(refusal([&](gantry_append &r) { r.n_spans = 0; }), GANTRY_E_INVALID);
  EXPECT_EQ(store().stat(other).appended_off, 0);
  EXPECT_EQ(done.count(), 0u);
  EXPECT_EQ(refusal([&](gantry_append &r) { r.base_skip = whole_bytes - 1000; }), 1) << "up to its end";
  EXPECT_TRUE(done.wait_for(7));
}

TEST_F(Base, TheRecordOutlivesTheQueueOfItsBase) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  const Message base = append_one(store(), message(a, filled(kBodyBytes, 9)));
  Overlay over = overlay(b, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, kBodyBytes));
  append(over);
  ASSERT_EQ(store().table().queue_drop(store().self(), a), GANTRY_OK);
  (void)append_one(store(), message(b, "behind"));
  EXPECT_EQ(store().read(b, 0).bytes(0), over.expected());
}

TEST_F(Base, ARestartKeepsItWhole) {
  if (!keeps_over_restart()) GTEST_SKIP() << "nothing survives a restart of this store";
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  const Message base = append_one(store(), message(a, filled(kBodyBytes, 10)));
  Overlay over = overlay(b, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, kBodyBytes));
  append(over);
  reopen();
  EXPECT_EQ(store().read(store().queue("B"), 0).bytes(0), over.expected());
}

// While the base leaves by retention: a record that refers to it is whole or is gone itself.
class BaseRetention : public Base {
 protected:
  void SetUp() override {
    Base::SetUp();
    if (suite().bases) start_with_retention();
  }
};

TEST_F(BaseRetention, ARecordIsWholeForAsLongAsItIsKept) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  const Message base = append_one(store(), message(a, filled(16000, 11)));
  Overlay over = overlay(b, base.phys_pos, kRecordHeadBytes, base.bytes.substr(kRecordHeadBytes, 16000));
  append(over);
  const auto whole_or_gone = [&] {
    const std::int64_t min_off = store().stat(b).min_off;
    const ReadResult got = store().read(b, min_off);
    // Asked again when there is nothing: it may have been dropped between the two calls.
    EXPECT_TRUE(got->n == 0 ? store().stat(b).min_off == 1 : got.bytes(0) == over.expected()) << "min_off before " << min_off;
    return HasFailure() || store().stat(a).min_off > 0;
  };
  ASSERT_TRUE(append_until(a, whole_or_gone)) << "this store drops nothing";
  ASSERT_FALSE(HasFailure());
  CompletionLog done(host());
  const std::int32_t rc = try_overlay(over, done.id());
  EXPECT_TRUE(rc == GANTRY_E_NOT_FOUND || rc == GANTRY_E_STALE) << rc;
}

}  // namespace
}  // namespace gantry::test
