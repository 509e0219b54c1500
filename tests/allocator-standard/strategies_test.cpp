// What each strategy promises beyond the contract of all allocators.
#include "allocators.hpp"

#include <gantry++/str.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gantry::allocator {
namespace {

using Owners = std::vector<std::uint32_t>;
using Strategy = bool (*)(const gantry_alloc_input &, std::uint32_t *);

Owners run(Strategy strategy, const std::vector<std::string> &ids, std::uint32_t n_queues, const Owners &previous = {}) {
  std::vector<gantry_alloc_consumer> consumers;
  std::vector<gantry_alloc_queue> queues;
  for (const std::string &id : ids) consumers.push_back({str(id), {}, 1, 0});
  for (std::uint32_t q = 0; q < n_queues; ++q) queues.push_back({str("broker-a"), q, previous.empty() ? GANTRY_NO_CONSUMER : previous[q]});
  const gantry_alloc_input in{sizeof in, 0, str("TopicTest"), str("G"), consumers.data(), queues.data(), static_cast<std::uint32_t>(ids.size()), n_queues};
  Owners owner(n_queues);
  EXPECT_TRUE(strategy(in, owner.data()));
  return owner;
}

std::vector<std::string> clients(int n) {
  std::vector<std::string> out;
  for (int i = 0; i < n; ++i) out.push_back("10.0.0." + std::to_string(i) + "@client");
  return out;
}

std::uint32_t spread(const Owners &owner, std::uint32_t n_consumers) {
  std::vector<std::uint32_t> count(n_consumers);
  for (const std::uint32_t o : owner) ++count[o];
  return *std::max_element(count.begin(), count.end()) - *std::min_element(count.begin(), count.end());
}

// The answers of RocketMQ 5.5.0's classes for these consumers and queues.
TEST(Strategies, AnswerAsRocketMQs) {
  struct Case {
    Strategy strategy;
    int consumers;
    Owners owner;
  };
  const Case kCases[] = {
      {average, 1, {0, 0, 0, 0}},
      {average, 2, {0, 0, 1, 1}},
      {average, 3, {0, 0, 0, 1, 1, 1, 2, 2}},
      {average, 5, {0, 1, 2}},
      {average, 7, {0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}},
      {by_circle, 2, {0, 1, 0, 1}},
      {by_circle, 5, {0, 1, 2}},
      {by_circle, 7, {0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1}},
      {consistent_hash, 1, {0, 0, 0, 0}},
      {consistent_hash, 2, {1, 0, 0, 1}},
      {consistent_hash, 5, {4, 4, 4}},
      {consistent_hash, 3, {1, 0, 2, 1, 0, 2, 1, 2, 1, 1, 2, 2, 1, 0, 2, 1}},
      {consistent_hash, 7, {5, 5, 5, 1, 5, 2, 1, 2, 4, 3, 2, 6, 3, 4, 2, 3}},
  };
  for (const Case &each : kCases) EXPECT_EQ(run(each.strategy, clients(each.consumers), static_cast<std::uint32_t>(each.owner.size())), each.owner);
}

TEST(Strategies, ConsistentHashMovesOnlyWhatTheNewcomerGets) {
  const Owners before = run(consistent_hash, clients(6), 200), after = run(consistent_hash, clients(7), 200);
  for (std::size_t q = 0; q < before.size(); ++q)
    if (after[q] != before[q]) {
      EXPECT_EQ(after[q], 6u);
    }
}

TEST(Strategies, StickyIsEvenAndMovesAsLittleAsThatAllows) {
  const Owners first = run(sticky, clients(3), 10);
  EXPECT_LE(spread(first, 3), 1u);
  EXPECT_EQ(run(sticky, clients(3), 10, first), first) << "nothing changed";

  // A fourth one comes: it gets two or three queues, nothing else moves.
  const Owners more = run(sticky, clients(4), 10, first);
  EXPECT_LE(spread(more, 4), 1u);
  std::uint32_t moved = 0;
  for (std::size_t q = 0; q < 10; ++q) {
    moved += more[q] != first[q] ? 1 : 0;
    if (more[q] != first[q]) {
      EXPECT_EQ(more[q], 3u);
    }
  }
  EXPECT_EQ(moved, 2u);

  // The last one leaves again: only its queues move.
  Owners known = more;
  for (std::uint32_t &o : known)
    if (o == 3) o = GANTRY_NO_CONSUMER;
  const Owners fewer = run(sticky, clients(3), 10, known);
  EXPECT_LE(spread(fewer, 3), 1u);
  for (std::size_t q = 0; q < 10; ++q)
    if (more[q] != 3) {
      EXPECT_EQ(fewer[q], more[q]);
    }
}

TEST(Strategies, StickyTakesFromWhoHasTooMuch) {
  const Owners owner = run(sticky, clients(3), 9, Owners(9, 1));
  EXPECT_EQ(spread(owner, 3), 0u);
  EXPECT_EQ(std::count(owner.begin(), owner.begin() + 3, 1u), 3) << "it keeps the first ones";
  EXPECT_EQ(run(sticky, clients(5), 3, {4, 4, 4}).at(0), 4u);
  EXPECT_EQ(run(sticky, clients(2), 3, {7, 7, 7}), (Owners{0, 1, 0})) << "an owner that does not exist is none";
}

}  // namespace
}  // namespace gantry::allocator
