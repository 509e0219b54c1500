// Records stored anew leave their body where it is, when it is worth it and the store can.
#include "semantics_fixture.hpp"

#include "support/store_records.h"

namespace gantry::test {
namespace {

// Between broker and store: sees what is appended, and answers appends with a base itself when told.
struct Watch {
  const gantry_store_v1 *real = nullptr;
  gantry_store_v1 table{};
  std::vector<std::uint32_t> borrowed;      // base_bytes of every append
  std::vector<std::int64_t> bases;          // of those that have one
  std::int32_t answer = GANTRY_OK;          // to those
  std::uint32_t asked = 0;                  // how many there were
};
Watch g_watch;

class Relay : public SemanticsTest {
 protected:
  void SetUp() override {
    g_watch = Watch{};
    SemanticsTest::SetUp();
  }
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    g_watch.real = real;
    g_watch.table = *real;
    g_watch.table.append = [](void *self, std::uint32_t shard, const gantry_append *reqs, std::uint32_t n, gantry_cq cq) noexcept -> std::int32_t {
      for (std::uint32_t i = 0; i < n; ++i) {
        if (reqs[i].base_bytes == 0) continue;
        ++g_watch.asked;
        if (g_watch.answer != GANTRY_OK) return g_watch.answer;
        g_watch.bases.push_back(reqs[i].base_pos);
      }
      for (std::uint32_t i = 0; i < n; ++i) g_watch.borrowed.push_back(reqs[i].base_bytes);
      return g_watch.real->append(self, shard, reqs, n, cq);
    };
    return &g_watch.table;
  }

  // One message through delay level 1; what came out of it.
  std::unique_ptr<Message> delayed(const std::string &body) {
    const gantry_topic to = topic("T", 1);
    const std::size_t before = messages("T").size();
    EXPECT_EQ(produce(to, body, "DELAY\x01" "1\x02KEYS\x01k\x02").status, GANTRY_OK);
    pass_ms(1200);
    auto all = messages("T");
    EXPECT_EQ(all.size(), before + 1);
    return all.empty() ? std::make_unique<Message>() : std::move(all.back());
  }
};

TEST_F(Relay, ABigBodyStaysWhereItIs) {
  const std::string body = filled(3000, 1);
  const auto got = delayed(body);
  EXPECT_EQ(got->m.body, body);
  EXPECT_EQ(got->property("KEYS"), "k");
  EXPECT_EQ(g_watch.borrowed, (std::vector<std::uint32_t>{0, 3000}));
  const auto held = messages("SCHEDULE_TOPIC_XXXX");
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(g_watch.bases, std::vector<std::int64_t>{held[0]->m.phys_pos});
}

TEST_F(Relay, ASmallOneIsStoredAgain) {
  EXPECT_EQ(delayed(filled(511, 1))->m.body, filled(511, 1));
  EXPECT_EQ(g_watch.asked, 0u);
  EXPECT_EQ(delayed(filled(512, 1))->m.body, filled(512, 1));
  EXPECT_EQ(g_watch.asked, 1u);
}

TEST_F(Relay, AStoreThatWillNotReferGetsTheWholeRecord) {
  for (const std::int32_t code : {GANTRY_E_STALE, GANTRY_E_NOT_FOUND}) {
    g_watch.answer = code;
    const std::uint32_t before = g_watch.asked;
    const std::string body = filled(2000, static_cast<std::uint64_t>(code));
    EXPECT_EQ(delayed(body)->m.body, body);
    EXPECT_EQ(g_watch.asked, before + 1) << "this one; the next is asked for again";
  }
  g_watch.answer = GANTRY_OK;
  EXPECT_EQ(delayed(filled(2000, 5))->m.body, filled(2000, 5));
  EXPECT_EQ(g_watch.borrowed.back(), 2000u);
}

TEST_F(Relay, AStoreThatCannotReferIsNotAskedAgain) {
  g_watch.answer = GANTRY_E_UNSUPPORTED;
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(delayed(filled(2000, i))->m.body, filled(2000, i));
  EXPECT_EQ(g_watch.asked, 1u);
}

TEST_F(Relay, ABusyStoreIsOfferedItAgain) {
  g_watch.answer = GANTRY_E_AGAIN;
  const gantry_topic to = topic("T", 1);
  EXPECT_EQ(produce(to, filled(2000, 1), "DELAY\x01" "1\x02").status, GANTRY_OK);
  pass_ms(1200);
  EXPECT_TRUE(messages("T").empty());
  EXPECT_GT(g_watch.asked, 1u);
  g_watch.answer = GANTRY_OK;
  pass_ms(1000);
  ASSERT_EQ(messages("T").size(), 1u);
}

}  // namespace
}  // namespace gantry::test
