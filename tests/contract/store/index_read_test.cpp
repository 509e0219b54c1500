// Reads of the index alone: the same records in the same order as a whole read, without their bytes.
#include "fixture.h"

namespace gantry::test {
namespace {

class IndexRead : public StoreContract {
 protected:
  static gantry_read index_read_of(gantry_queue queue, std::int64_t offset) {
    gantry_read request = read_of(queue, offset);
    request.flags |= GANTRY_READ_INDEX_ONLY;
    return request;
  }

  // Every entry of the queue, by reads of up to per_read.
  std::vector<gantry_record> all_of(gantry_queue queue, std::uint32_t per_read) {
    std::vector<gantry_record> out;
    for (std::int64_t offset = 0; offset < store().stat(queue).max_off;) {
      gantry_read request = index_read_of(queue, offset);
      request.max_records = per_read;
      const ReadResult got = store().read(request);
      if (!got || got->next_off <= offset) {
        ADD_FAILURE() << "no progress at " << offset;
        break;
      }
      EXPECT_LE(got->n, per_read);
      out.insert(out.end(), got.records().begin(), got.records().end());
      offset = got->next_off;
    }
    return out;
  }

  static void expect_entries(const std::vector<gantry_record> &got, const std::vector<Message> &messages) {
    ASSERT_EQ(got.size(), messages.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].bytes.n, 0u);
      ASSERT_EQ(got[i].queue_off, messages[i].offsets[0]);
      ASSERT_EQ(got[i].phys_pos, messages[i].phys_pos);
      ASSERT_EQ(got[i].tag, messages[i].links[0].tag);
      ASSERT_EQ(got[i].store_ms, messages[i].store_ms) << i;
    }
  }

  std::vector<Message> written(gantry_queue queue, std::size_t n, std::size_t body_bytes) {
    std::vector<Message> messages;
    for (std::size_t i = 0; i < n; ++i) {
      messages.push_back(message(queue, filled(body_bytes, i), static_cast<std::int64_t>(i % 5)));
      messages.back().store_ms = kTestWallMs + static_cast<std::int64_t>(i) * 7;
    }
    append_all(store(), messages, 16);
    return messages;
  }
};

TEST_F(IndexRead, GivesPlaceTagAndTimeWithoutBytes) {
  const gantry_queue queue = store().queue("A");
  const std::vector<Message> messages = written(queue, 10, 100);
  expect_entries(all_of(queue, 1024), messages);
  expect_entries(all_of(queue, 3), messages);
  const ReadResult end = store().read(index_read_of(queue, 10));
  EXPECT_EQ(end->n, 0u);
  EXPECT_EQ(end->stop, GANTRY_STOP_END);
  EXPECT_EQ(store().read(index_read_of(queue, 11))->stop, GANTRY_STOP_RANGE);
}

TEST_F(IndexRead, MaxBytesIsIgnoredMaxRecordsIsNot) {
  const gantry_queue queue = store().queue("A");
  (void)written(queue, 10, 1000);
  gantry_read request = index_read_of(queue, 2);
  request.max_bytes = 1;
  EXPECT_EQ(store().read(request)->n, 8u);
  request.max_records = 3;
  const ReadResult got = store().read(request);
  EXPECT_EQ(got->n, 3u);
  EXPECT_EQ(got->next_off, 5);
  EXPECT_EQ(got->stop, GANTRY_STOP_LIMIT);
}

TEST_F(IndexRead, FiltersByTag) {
  const gantry_queue queue = store().queue("A");
  (void)written(queue, 20, 100);
  const std::int64_t tags[] = {4, 1};
  gantry_read request = index_read_of(queue, 0);
  request.flags = GANTRY_READ_INDEX_ONLY;
  request.tags = tags;
  request.n_tags = 2;
  const ReadResult got = store().read(request);
  ASSERT_EQ(got->n, 8u);
  for (const gantry_record &record : got.records()) EXPECT_TRUE(record.tag == 4 || record.tag == 1) << record.tag;
  EXPECT_EQ(got->next_off, 20);
}

TEST_F(IndexRead, OldPartsOfAQueueAreReadTheSame) {
  const gantry_queue queue = store().queue("A");
  const std::vector<Message> messages = written(queue, 2000, 16000);
  expect_entries(all_of(queue, 1024), messages);
  expect_entries(all_of(queue, 100), messages);
  if (!keeps_over_restart()) return;
  reopen();
  expect_entries(all_of(store().queue("A"), 1024), messages);
}

}  // namespace
}  // namespace gantry::test
