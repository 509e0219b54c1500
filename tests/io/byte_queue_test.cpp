// The buffer behind kept input and pending output: it holds what came, no more than it must, and nothing when empty.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "kernel/io/connection.hpp"

namespace gantry::io::test {
namespace {

const std::uint8_t *bytes(const std::string &s) { return reinterpret_cast<const std::uint8_t *>(s.data()); }

TEST(ByteQueue, RandomAppendsAndDropsKeepTheBytes) {
  std::mt19937 random(3);
  ByteQueue queue;
  std::string wanted;
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 2 == 0) {
      const std::string more(random() % 300, static_cast<char>(i));
      queue.append(bytes(more), more.size());
      wanted += more;
    } else if (!wanted.empty()) {
      const std::size_t n = random() % (wanted.size() + 1);
      queue.drop_front(n);
      wanted.erase(0, n);
    }
    ASSERT_EQ(std::string(reinterpret_cast<const char *>(queue.data()), queue.size()), wanted);
  }
}

TEST(ByteQueue, AClaimedLengthDoesNotAllocate) {
  ByteQueue queue;
  queue.append(bytes(std::string(100, 'x')), 100);
  queue.make_room(1000, 1u << 30);
  EXPECT_LE(queue.size() + queue.spare(), 2u * 1100);
}

TEST(ByteQueue, AnEmptyOneHoldsNoMemory) {
  ByteQueue queue;
  queue.append(bytes(std::string(5000, 'x')), 5000);
  queue.drop_front(5000);
  EXPECT_EQ(queue.spare(), 0u);
}

TEST(ByteQueue, ALongQueueTakenInSmallPartsIsNotMovedEachTime) {
  ByteQueue queue;
  const std::string part(1000, 'p');
  for (int i = 0; i < 10'000; ++i) queue.append(bytes(part), part.size());
  for (int i = 0; i < 200'000; ++i) {  // 2 TB to move, were it moved each time
    queue.drop_front(part.size());
    queue.append(bytes(part), part.size());
  }
  EXPECT_EQ(queue.size(), 10'000u * 1000);
}

TEST(ConnectionTable, StaleIdsAreNotFoundThoughTheSlotIsUsedAgain) {
  ConnectionTable table;
  Connection *first = table.add();
  first->stage = Stage::kOpen;
  const std::uint64_t old_name = ConnectionTable::name(*first);
  EXPECT_EQ(table.find(old_name), first);
  table.release(*first);
  EXPECT_EQ(table.find(old_name), nullptr);
  Connection *second = table.add();
  second->stage = Stage::kOpen;
  EXPECT_EQ(second, first);
  EXPECT_EQ(table.find(old_name), nullptr);
  EXPECT_EQ(table.find(ConnectionTable::name(*second)), second);
  EXPECT_LE(sizeof(Connection), 320u);  // an idle connection stays small
  table.release(*second);
}

}  // namespace
}  // namespace gantry::io::test
