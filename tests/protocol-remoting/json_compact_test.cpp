// The reader of compact headers beside the general one: whatever it takes, both take with the same result.
#include "codec/json_compact.hpp"
#include "codec/properties.hpp"
#include "codec/text.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace gantry::remoting {
namespace {

struct Read {
  Scratch scratch;
  std::unique_ptr<Header> header = std::make_unique<Header>();
  explicit Read(std::string_view text) : scratch(static_cast<std::uint32_t>(text.size()) + kScratchSlack) {}
};

// The text in memory of exactly its size, so that a sanitizer sees reads behind it.
struct Exact {
  std::unique_ptr<char[]> bytes;
  std::string_view text;
  explicit Exact(std::string_view from) : bytes(new char[from.size()]), text(bytes.get(), from.size()) {
    if (!from.empty()) std::memcpy(bytes.get(), from.data(), from.size());
  }
};

void expect_same(const Header &a, const Header &b, const std::string &json) {
  EXPECT_TRUE(a.code == b.code && a.version == b.version && a.opaque == b.opaque && a.flag == b.flag && a.language == b.language && a.type == b.type &&
              a.remark == b.remark && a.letters_set == b.letters_set && a.n_ext == b.n_ext)
      << json;
  for (std::uint32_t i = 0; i < 26; ++i)
    EXPECT_TRUE((a.letters_set >> i & 1u) == 0 || a.letters[i] == b.letters[i]) << json;
  for (std::uint32_t i = 0; i < a.n_ext; ++i) EXPECT_TRUE(a.ext[i].key == b.ext[i].key && a.ext[i].value == b.ext[i].value) << json;
}

// True: the compact reader took it.
bool compare(const std::string &json) {
  const Exact in(json);
  Read compact(json), general(json), either(json);
  const bool taken = decode_compact_json_header(in.text, compact.scratch, *compact.header);
  const char *const wrong = decode_general_json_header(in.text, general.scratch, *general.header);
  EXPECT_EQ(decode_json_header(in.text, either.scratch, *either.header) == nullptr, wrong == nullptr) << json;
  if (wrong == nullptr) expect_same(*either.header, *general.header, json);
  if (!taken) return false;
  EXPECT_EQ(wrong, nullptr) << json;
  if (wrong == nullptr) expect_same(*compact.header, *general.header, json);
  return true;
}

const std::vector<std::string> &as_clients_write() {
  static const std::vector<std::string> all = {
      R"({"code":310,"extFields":{"a":"g","b":"T","c":"TBW102","d":"4","e":"2","f":"0","g":"1700000000000","h":"0","i":"UNIQ_KEY\u00017F00000100002A139A55\u0002WAIT\u0001true\u0002TAGS\u0001TagA","j":"0","k":"false","l":"0","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":2147483647,"serializeTypeCurrentRPC":"JSON","version":409})",
      R"({"code":105,"extFields":{"topic":"TBW102"},"flag":0,"language":"JAVA","opaque":0,"serializeTypeCurrentRPC":"JSON","version":409})",
      R"({"code":10,"language":"GO","version":317,"opaque":3,"flag":0,"remark":"","extFields":{"topic":"T","queueId":"1"}})",
      R"({"code":310,"language":"GO","version":317,"opaque":31,"flag":0,"remark":"","extFields":{"a":"g","b":"T","i":"KEYS\u0001\u003ck\u003e\u0002UNIQ_KEY\u0001X"}})",
      R"({"code":0,"extFields":{"AccessKey":"","a":"g","b":"x"},"flag":1,"language":"CPP","opaque":7,"remark":null,"serializeTypeCurrentRPC":"JSON","version":333})",
      R"({"code":34,"extFields":{},"flag":0,"language":"JAVA","opaque":12345678,"serializeTypeCurrentRPC":"JSON","version":493})",
      R"({"code":1,"flag":1,"language":"JAVA","opaque":9,"remark":"no route info of this topic: T","serializeTypeCurrentRPC":"JSON","version":409})",
  };
  return all;
}

TEST(CompactJsonHeader, TakesWhatClientsWrite) {
  for (const std::string &json : as_clients_write()) EXPECT_TRUE(compare(json)) << json;
  EXPECT_TRUE(compare(test::java_header(310, 123456, {{"a", "bench"}, {"b", "T"}, {"i", "UNIQ_KEY\1X\2WAIT\1true"}, {"long", std::string(300, 'x')}})));
}

TEST(CompactJsonHeader, LeavesTheRestToTheGeneralDecoder) {
  for (const char *json : {"", "{", "{}", " {\"code\":1}", "{\"code\":1} ", "{\"code\" :1}", "{\"code\":-1}", "{\"code\":2147483648}", "{\"code\":10000000000}", "{\"code\":1.5}", "{\"code\":\"1\"}",
                           "{\"code\":null}", "{\"code\":1,}", "{\"code\":1,\"new\":2}", "{\"code\":1,\"language\":9}", "{\"remark\":\"a\\n\"}", "{\"remark\":nul}",
                           "{\"extFields\":null}", "{\"extFields\":{\"a\":1}}", "{\"extFields\":{\"a\":null}}", "{\"extFields\":{\"k\\u0041\":\"v\"}}", "{\"extFields\":{\"a\":\"b\",}}",
                           "{\"extFields\":{\"a\":\"\\x\"}}", "{\"extFields\":{\"a\":\"b\"}", "{\"extFields\":{\"a\":\"b", "{\"extFields\":{\"a\":\"b\"}},", "{\"code\":1}}"})
    EXPECT_FALSE(compare(json)) << json;
  std::string many = "{\"code\":1";
  for (int i = 0; i < 20; ++i) many += ",\"flag\":1";
  EXPECT_FALSE(compare(many + "}"));
  std::string fields = "{\"extFields\":{\"key0\":\"v\"";
  for (int i = 1; i < 129; ++i) fields += ",\"key" + std::to_string(i) + "\":\"v\"";
  EXPECT_FALSE(compare(fields + "}}"));
}

TEST(CompactJsonHeader, EveryTruncationIsTheSame) {
  for (const std::string &json : as_clients_write())
    for (std::size_t n = 0; n < json.size(); ++n) EXPECT_FALSE(compare(json.substr(0, n))) << n;
}

TEST(CompactJsonHeader, ChangedHeadersAreTheSame) {
  std::vector<std::string> seeds = as_clients_write();
  for (const auto &entry : std::filesystem::directory_iterator(GANTRY_FUZZ_CORPUS "/fuzz_header")) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!text.empty()) seeds.push_back(text.substr(1));  // the first byte chooses the form
  }
  ASSERT_GT(seeds.size(), as_clients_write().size());
  static const std::string kPieces[] = {"\"", "\\", "\\u0001", "\\u0002", "\\\"", "\\u00e9", "{", "}", ",", ":", "null", "true", "0", "9", "-", "e", " ", "\"a\":\"b\"", "\"code\":7", "\"extFields\":{", "\"remark\":", std::string(1, '\0'), "\x80"};
  std::mt19937 random(20261201);
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::uint32_t taken = 0;
  constexpr std::uint32_t kTries = 60'000;
  for (std::uint32_t i = 0; i < kTries && !::testing::Test::HasFailure(); ++i) {
    std::string json = seeds[below(seeds.size())];
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      const std::size_t at = below(json.size() + 1);
      switch (below(5)) {
        case 0: json.insert(at, kPieces[below(std::size(kPieces))]); break;
        case 1: json.erase(at, 1 + below(4)); break;
        case 2: if (at < json.size()) json[at] = static_cast<char>(random()); break;
        case 3: if (at < json.size() && json[at] != '"') json[at] = static_cast<char>('a' + below(26)); break;
        default: json.insert(at, json.substr(below(json.size() + 1), below(40))); break;
      }
    }
    taken += compare(json) ? 1 : 0;
  }
  EXPECT_GT(taken, kTries / 50);
  EXPECT_LT(taken, kTries - kTries / 50);
}

TEST(Numbers, EightDigitsAtOnceAreTheSameAsOneByOne) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = std::to_string(random() % 10'000'000'000'000'000'000u).substr(0, 1 + random() % 19);
    if (random() % 4 == 0) text[random() % text.size()] = static_cast<char>(random());
    std::int64_t got = -1, wanted = -1;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
    const bool good = error == std::errc() && stop == text.data() + text.size();
    ASSERT_EQ(parse_number(std::string_view(text), got), good) << text;
    ASSERT_TRUE(!good || got == wanted) << text;
  }
}

TEST(Properties, AreReadAsTheirDefinitionSays) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 60, '\0');
    for (char &c : text) c = random() % 5 == 0 ? '\1' : random() % 5 == 0 ? '\2' : static_cast<char>('a' + random() % 26);
    const Exact in(text);
    PropertyReader reader(in.text);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t stop = std::min(text.find('\2', at), text.size());
      const std::size_t next = std::min(stop + 1, text.size());
      const std::size_t middle = text.find('\1', at);
      if (middle < stop && middle != at && middle + 1 != stop) {
        std::string_view key, value, entry;
        ASSERT_TRUE(reader.next(key, value, entry));
        EXPECT_EQ(key, std::string_view(text).substr(at, middle - at));
        EXPECT_EQ(value, std::string_view(text).substr(middle + 1, stop - middle - 1));
        EXPECT_EQ(entry, std::string_view(text).substr(at, next - at));
      }
      at = next;
    }
    std::string_view key, value, entry;
    EXPECT_FALSE(reader.next(key, value, entry));
  }
}

}  // namespace
}  // namespace gantry::remoting
