#include "codec/header.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting {
namespace {

struct Decoded {
  Scratch scratch{kHeaderMaxBytes};
  Header header;
  const char *error = nullptr;
  std::string text;

  explicit Decoded(std::string json) : text(std::move(json)) { error = decode_json_header(text, scratch, header); }
};

std::string error_of(const std::string &json) {
  Decoded d(json);
  return d.error != nullptr ? d.error : "";
}

TEST(JsonHeader, JavaRouteRequest) {
  Decoded d(R"({"code":105,"extFields":{"topic":"TBW102"},"flag":0,"language":"JAVA","opaque":0,"serializeTypeCurrentRPC":"JSON","version":409})");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.code, 105);
  EXPECT_EQ(d.header.version, 409);
  EXPECT_EQ(d.header.language, 0);
  EXPECT_EQ(d.header.n_ext, 1u);
  EXPECT_EQ(d.header.text("topic"), "TBW102");
  EXPECT_EQ(d.header.find("Topic"), nullptr);
  EXPECT_FALSE(d.header.is_response());
  EXPECT_FALSE(d.header.is_oneway());
}

TEST(JsonHeader, JavaSendV2WithEscapedProperties) {
  Decoded d(
      R"({"code":310,"extFields":{"a":"g","b":"T","c":"TBW102","d":"4","e":"2","f":"0","g":"1700000000000","h":"0","i":"UNIQ_KEY\u00017F00000100002A139A55\u0002WAIT\u0001true\u0002TAGS\u0001TagA","j":"0","k":"false","l":"0","m":"false","n":"broker-a"},"flag":2,"language":"JAVA","opaque":-2147483648,"serializeTypeCurrentRPC":"JSON","version":409})");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.code, 310);
  EXPECT_EQ(d.header.opaque, INT32_MIN);
  EXPECT_TRUE(d.header.is_oneway());
  EXPECT_EQ(d.header.n_ext, 0u);
  EXPECT_EQ(d.header.letters_set, (1u << 14) - 1);
  EXPECT_EQ(d.header.text("b"), "T");
  EXPECT_EQ(d.header.text("i"), std::string_view("UNIQ_KEY\1" "7F00000100002A139A55\2WAIT\1true\2TAGS\1TagA"));
}

TEST(JsonHeader, CppClientSendsNumbers) {
  Decoded d(R"({"code":310,"extFields":{"AccessKey":"","OnsChannel":null,"a":"g","d":4,"e":0,"k":false,"g":1700000000000},"flag":0,"language":"CPP","opaque":7,"version":333})"
            "\n");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.language, 1);
  EXPECT_EQ(d.header.text("d"), "4");
  EXPECT_EQ(d.header.text("k"), "false");
  EXPECT_EQ(d.header.text("g"), "1700000000000");
  ASSERT_NE(d.header.find("AccessKey"), nullptr);
  EXPECT_EQ(d.header.find("OnsChannel"), nullptr);
}

TEST(JsonHeader, GoClientOrder) {
  Decoded d(R"({"code":10,"language":"GO","version":317,"opaque":3,"flag":0,"remark":"","extFields":{"topic":"T","queueId":"1"}})");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.language, 9);
  EXPECT_EQ(d.header.version, 317);
  EXPECT_EQ(d.header.text("queueId"), "1");
}

TEST(JsonHeader, UnknownPropertiesAndSpacesAreSkipped) {
  Decoded d("  { \"new\" : {\"a\":[1,{\"b\":\"}\"}],\"c\":null} ,\n\t\"code\" : 11 , \"extFields\" : { \"x1\" : \"y\" , \"o\":{\"p\":1} } , \"list\":[] }  ");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.code, 11);
  EXPECT_EQ(d.header.text("x1"), "y");
  EXPECT_EQ(d.header.find("o"), nullptr);
}

TEST(JsonHeader, MissingPropertiesAreZeroAndNothingLeaksFromTheLastDecode) {
  Decoded d(R"({"code":1,"opaque":5,"flag":3,"remark":"r","extFields":{"a":"1","topic":"t"}})");
  ASSERT_EQ(d.error, nullptr);
  ASSERT_EQ(decode_json_header("{}", d.scratch, d.header), nullptr);
  EXPECT_EQ(d.header.code, 0);
  EXPECT_EQ(d.header.opaque, 0);
  EXPECT_EQ(d.header.flag, 0);
  EXPECT_EQ(d.header.remark, "");
  EXPECT_EQ(d.header.find("a"), nullptr);
  EXPECT_EQ(d.header.find("topic"), nullptr);
}

TEST(JsonHeader, NullsAndNumericTextsAndOrdinals) {
  Decoded d(R"({"code":"34","opaque":null,"remark":null,"extFields":null,"language":9,"version":1})");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.code, 34);
  EXPECT_EQ(d.header.opaque, 0);
  EXPECT_EQ(d.header.language, 9);
  EXPECT_EQ(Decoded(R"({"language":"KLINGON"})").header.language, 7);
  EXPECT_EQ(Decoded(R"({"language":200})").header.language, 7);
}

TEST(JsonHeader, RepeatedKeyLastWins) {
  Decoded d(R"({"extFields":{"a":"1","topic":"x","a":"2","topic":"y"}})");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.text("a"), "2");
  EXPECT_EQ(d.header.text("topic"), "y");
}

TEST(JsonHeader, AllEscapes) {
  Decoded d(R"({"remark":"\"\\\/\b\f\n\r\t\u0041\u00e9\u4e2d\ud83d\ude00\ud83d!\udc00"})");
  ASSERT_EQ(d.error, nullptr);
  EXPECT_EQ(d.header.remark, "\"\\/\b\f\n\r\tA\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\xEF\xBF\xBD!\xEF\xBF\xBD");
}

TEST(JsonHeader, LongStringsCrossTheVectorWidth) {
  for (std::size_t n = 0; n < 70; ++n) {
    const std::string plain(n, 'x');
    Decoded d("{\"remark\":\"" + plain + "\",\"extFields\":{\"i\":\"" + plain + "\\u0001" + plain + "\"},\"code\":1}");
    ASSERT_EQ(d.error, nullptr) << n;
    EXPECT_EQ(d.header.remark, plain);
    EXPECT_EQ(d.header.text("i"), plain + "\1" + plain);
    EXPECT_EQ(d.header.code, 1);
  }
}

TEST(JsonHeader, EveryTruncationIsRefused) {
  const std::string whole = test::java_header(310, 9, {{"a", "g"}, {"topic", "x\1y\""}}, 2);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_NE(error_of(whole.substr(0, n)), "") << n;
  EXPECT_EQ(error_of(whole), "");
}

TEST(JsonHeader, DamageIsRefused) {
  for (const char *json : {"[]", "null", "{\"code\":}", "{\"code\":1,}", "{\"code\" 1}", "{code:1}", "{\"code\":1}x", "{}{}",
                           "{\"code\":1.5}", "{\"code\":2147483648}", "{\"code\":\"x\"}", "{\"code\":tru}", "{\"remark\":\"\\x\"}",
                           "{\"remark\":\"\\u00g1\"}", "{\"remark\":\"\\u12\"}", "{\"extFields\":\"text\"}", "{\"extFields\":{\"a\"}}",
                           "{\"extFields\":{\"a\":\"b\",}}", "{\"x\":[}", "{\"x\":]}", "{\"a\":1 \"b\":2}"})
    EXPECT_NE(error_of(json), "") << json;
  EXPECT_NE(error_of(std::string("{\"code\":1}\0", 11)), "");
}

TEST(JsonHeader, DepthIsLimited) {
  const auto nested = [](int levels) { return "{\"x\":" + std::string(levels, '[') + std::string(levels, ']') + "}"; };
  EXPECT_EQ(error_of(nested(16)), "");
  EXPECT_NE(error_of(nested(17)), "");
  EXPECT_NE(error_of("{\"x\":" + std::string(60000, '[')), "");
  EXPECT_NE(error_of("{\"extFields\":{\"k\":" + std::string(60000, '{')), "");
}

TEST(JsonHeader, NumbersOfKeysAreLimited) {
  const auto with = [](int ext, int properties) {
    test::Fields fields;
    for (int i = 0; i < ext; ++i) fields.emplace_back("key" + std::to_string(i), "v");
    std::string json = test::java_header(1, 1, fields);
    for (int i = 0; i < properties; ++i) json.insert(1, "\"p" + std::to_string(i) + "\":0,");
    return json;
  };
  EXPECT_EQ(error_of(with(128, 0)), "");
  EXPECT_EQ(error_of(with(129, 0)), "JSON header: over 128 ext fields");
  EXPECT_EQ(error_of(with(1, 57)), "");
  EXPECT_EQ(error_of(with(1, 58)), "JSON header: over 64 properties");
}

}  // namespace
}  // namespace gantry::remoting
