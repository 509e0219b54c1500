// What filters see of a message: the quick ways to its parts and properties beside the plain ones.
#include "kernel/broker/filter/property_walk.hpp"
#include "kernel/broker/record/record.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace gantry::broker {
namespace {

using Random = std::mt19937;
using Properties = std::vector<std::pair<std::string, std::string>>;

std::size_t below(Random &random, std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); }

// RocketMQ's decoder: cut at 0x02, then at the first 0x01.
Properties cut(std::string_view props) {
  Properties out;
  while (!props.empty()) {
    const std::size_t end = std::min(props.find('\2'), props.size());
    const std::string_view entry = props.substr(0, end);
    props.remove_prefix(std::min(end + 1, props.size()));
    const std::size_t separator = entry.find('\1');
    if (separator == std::string_view::npos || separator == 0 || separator + 1 == entry.size()) continue;
    out.emplace_back(entry.substr(0, separator), entry.substr(separator + 1));
  }
  return out;
}

// From memory of exactly that size, so that a sanitizer sees a look beyond it.
Properties walked(std::string_view props) {
  const std::unique_ptr<char[]> exact(new char[props.size()]);
  std::copy(props.begin(), props.end(), exact.get());
  Properties out;
  for_each_property({exact.get(), props.size()}, [&](std::string_view key, std::string_view value) { out.emplace_back(key, value); });
  return out;
}

TEST(PropertyWalk, FindsWhatCuttingFinds) {
  Random random(1);
  std::size_t found = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string props;
    const std::size_t bytes = below(random, 100), marks = 2 + below(random, 12);
    for (std::size_t i = 0; i < bytes; ++i) {
      const std::size_t kind = below(random, marks);
      props += kind == 0 ? '\1' : kind == 1 ? '\2' : "\0\3ab\x81\x82\xFF"[below(random, 7)];
    }
    const Properties wanted = cut(props);
    ASSERT_EQ(walked(props), wanted) << ::testing::PrintToString(props);
    found += wanted.size();
  }
  EXPECT_GT(found, 50'000u);
}

TEST(PropertyWalk, EntriesOfAnyLengthAtAnyPlace) {
  for (std::size_t key = 1; key < 40; ++key) {
    for (std::size_t value = 1; value < 40; ++value) {
      const std::string entry = std::string(key, 'k') + '\1' + std::string(value, 'v');
      const Properties one{{std::string(key, 'k'), std::string(value, 'v')}};
      ASSERT_EQ(walked(entry), one);
      ASSERT_EQ(walked(entry + '\2'), one);
      ASSERT_EQ(walked("a\1b\2" + entry), cut("a\1b\2" + entry));
    }
  }
}

std::string record(Random &random) {
  RecordHeader header{};
  header.sys_flags = static_cast<std::uint32_t>(random()) & ~(kSysFlagBornIpv6 | kSysFlagStoreIpv6);
  header.born.ip_bytes = below(random, 2) == 0 ? 4 : 16;
  header.store.ip_bytes = below(random, 2) == 0 ? 4 : 16;
  const std::string body(below(random, 300), 'b'), topic(below(random, 128), 't'), props(below(random, 400), 'p');
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.total_bytes = static_cast<std::uint32_t>(fixed_bytes(header.born, header.store) + body.size() + 1 + topic.size() + 2 + props.size());
  std::string out(fixed_bytes(header.born, header.store), '\0');
  EXPECT_EQ(encode_header(header, reinterpret_cast<std::uint8_t *>(out.data())).bytes, out.size());
  out += body;
  out += static_cast<char>(topic.size());
  out += topic;
  out += static_cast<char>(props.size() >> 8);
  out += static_cast<char>(props.size());
  return out + props;
}

bool same_answer(const std::string &bytes) {
  const std::unique_ptr<char[]> exact(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  const std::string_view view(exact.get(), bytes.size());
  StoredMessage message;
  MessageParts parts;
  const bool whole = parse_record(view, &message);
  EXPECT_EQ(find_parts(view, &parts), whole) << ::testing::PrintToString(bytes);
  if (!whole) return false;
  EXPECT_EQ(parts.body.data(), message.body.data());
  EXPECT_EQ(parts.body.size(), message.body.size());
  EXPECT_EQ(parts.props.data(), message.props.data());
  EXPECT_EQ(parts.props.size(), message.props.size());
  return true;
}

void set_total(std::string &bytes) { store_be32(reinterpret_cast<std::uint8_t *>(bytes.data()), static_cast<std::uint32_t>(bytes.size())); }

TEST(MessageParts, AreThoseOfTheWholeRecord) {
  Random random(2);
  int whole = 0, damaged = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = record(random);
    ASSERT_TRUE(same_answer(bytes));
    // Cut off or longer, with a size that says so and one that does not.
    std::string other = bytes;
    other.resize(below(random, bytes.size() + 20));
    (same_answer(other) ? whole : damaged) += 1;
    if (other.size() >= 4) set_total(other);
    (same_answer(other) ? whole : damaged) += 1;
    // A byte of the lengths, flags or magic is another one.
    for (const std::size_t at : {std::size_t{4}, std::size_t{39}, std::size_t{84 + below(random, 28)}, below(random, bytes.size())}) {
      other = bytes;
      other[at] = static_cast<char>(random());
      (same_answer(other) ? whole : damaged) += 1;
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(whole, 1000);
  EXPECT_GT(damaged, 1000);
}

}  // namespace
}  // namespace gantry::broker
