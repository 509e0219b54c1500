// Keys and values over restarts: through the component, and the file alone.
#include "codec/codes.hpp"
#include "nameserver/kv_file.hpp"
#include "server.hpp"
#include "support/test_util.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace gantry::test {
namespace {

using namespace gantry::remoting;
namespace fs = std::filesystem;

class KvFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] ConfigTexts texts() const { return {{"data_dir", dir_.str()}}; }
  [[nodiscard]] fs::path file(const char *name = "kvConfig.json") const { return dir_.path() / "nameserver" / name; }
  static std::string content(const fs::path &path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  void write(const std::string &text) const {
    fs::create_directories(file().parent_path());
    std::ofstream(file()) << text;
  }
  static ReplyText put(Server &server, gantry_conn conn, const char *key, const char *value) {
    return server.ask(conn, {.code = kPutKvConfig, .ext = {{"namespace", "n"}, {"key", key}, {"value", value}}});
  }
  static ReplyText get(Server &server, gantry_conn conn, const char *key) { return server.ask(conn, {.code = kGetKvConfig, .ext = {{"namespace", "n"}, {"key", key}}}); }

  TempDir dir_;
};

TEST_F(KvFileTest, OutlivesItsNameServer) {
  {
    Server server(texts());
    const gantry_conn conn = server.open();
    EXPECT_EQ(0, put(server, conn, "k", "v \"1\"").code);
    EXPECT_EQ(0, put(server, conn, "gone", "x").code);
    EXPECT_EQ(0, server.ask(conn, {.code = kDeleteKvConfig, .ext = {{"namespace", "n"}, {"key", "gone"}}}).code);
    EXPECT_EQ(0, server.ask(conn, {.code = kDeleteKvConfig, .ext = {{"namespace", "m"}, {"key", "never"}}}).code);
  }
  EXPECT_EQ(content(file()), R"({"configTable":{"n":{"k":"v \"1\""}}})");
  Server server(texts());
  const gantry_conn conn = server.open();
  EXPECT_EQ((ExtFields{{"value", "v \"1\""}}), get(server, conn, "k").ext);
  EXPECT_EQ(kQueryNotFound, get(server, conn, "gone").code);
  EXPECT_EQ(0, put(server, conn, "k2", "v").code);
  EXPECT_EQ(R"({"table":{"k":"v \"1\"","k2":"v"}})", server.ask(conn, {.code = kGetKvlistByNamespace, .ext = {{"namespace", "n"}}}).body);
}

TEST_F(KvFileTest, AnEmptiedNamespaceStaysOne) {
  {
    Server server(texts());
    const gantry_conn conn = server.open();
    EXPECT_EQ(0, put(server, conn, "k", "v").code);
    EXPECT_EQ(0, server.ask(conn, {.code = kDeleteKvConfig, .ext = {{"namespace", "n"}, {"key", "k"}}}).code);
  }
  Server server(texts());
  EXPECT_EQ(R"({"table":{}})", server.ask(server.open(), {.code = kGetKvlistByNamespace, .ext = {{"namespace", "n"}}}).body);
}

TEST_F(KvFileTest, IsWrittenBeforeTheAnswer) {
  Server server(texts());
  const gantry_conn conn = server.open();
  ASSERT_EQ(GANTRY_OK, server.feed(conn, frame_of({.code = kPutKvConfig, .ext = {{"namespace", "n"}, {"key", "k"}, {"value", "v"}}})));
  EXPECT_EQ("", server.net.take(conn)) << "not on the disk yet";
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_TRUE(server.host.wait_until([&] { return fs::exists(file()); }));
  std::string bytes;
  EXPECT_TRUE(server.host.wait_until([&] { return !(bytes += server.net.take(conn)).empty(); }));
  EXPECT_EQ(1u, read_frames(bytes).size());
}

TEST_F(KvFileTest, TakesRocketMqsOwnFile) {
  write("{\n\t\"configTable\":{\"ORDER_TOPIC_CONFIG\":{\"T\":\"a:4\"\n\t\t}\n\t}\n}");
  Server server(texts());
  EXPECT_EQ((ExtFields{{"value", "a:4"}}), server.ask(server.open(), {.code = kGetKvConfig, .ext = {{"namespace", "ORDER_TOPIC_CONFIG"}, {"key", "T"}}}).ext);
}

TEST_F(KvFileTest, ADamagedFileIsReportedAndSetAside) {
  write("{\"configTable\":{\"n\":{\"k\":");
  Server server(texts());
  EXPECT_TRUE(server.host.logged("ERROR keys and values of the name server: file " + file().string()));
  EXPECT_TRUE(server.host.logged("it is kept as " + file("kvConfig.json.damaged").string()));
  EXPECT_EQ("{\"configTable\":{\"n\":{\"k\":", content(file("kvConfig.json.damaged")));
  const gantry_conn conn = server.open();
  EXPECT_EQ(kQueryNotFound, get(server, conn, "k").code);
  EXPECT_EQ(0, put(server, conn, "k", "v").code);
  EXPECT_EQ(content(file()), R"({"configTable":{"n":{"k":"v"}}})");
}

TEST_F(KvFileTest, WhatIsGoodInAFileIsKept) {
  write(R"({"configTable":{"n":{"k":"v","bad key":"v","number":7}}})");
  Server server(texts());
  EXPECT_TRUE(server.host.logged("entry \"bad key\" is left out"));
  EXPECT_EQ((ExtFields{{"value", "v"}}), get(server, server.open(), "k").ext);
  EXPECT_EQ(content(file()), R"({"configTable":{"n":{"k":"v"}}})");
}

TEST_F(KvFileTest, AnswersThatNothingWasWritten) {
  Server server(texts());
  const gantry_conn conn = server.open();
  fs::create_directories(file("kvConfig.json.new"));  // where the new file would be made
  const ReplyText reply = put(server, conn, "k", "v");
  EXPECT_EQ(kSystemError, reply.code);
  EXPECT_NE(std::string::npos, reply.remark.find("was not written: file " + file("kvConfig.json.new").string())) << reply.remark;
  EXPECT_EQ((ExtFields{{"value", "v"}}), get(server, conn, "k").ext);
  fs::remove(file("kvConfig.json.new"));
  EXPECT_EQ(0, put(server, conn, "k2", "v").code);
  EXPECT_EQ(content(file()), R"({"configTable":{"n":{"k":"v","k2":"v"}}})") << "with what was not written before";
}

TEST_F(KvFileTest, TwoNameServersDoNotShareAFolder) {
  Server first(texts());
  EXPECT_EQ(0, put(first, first.open(), "k", "v").code);
  Server second(texts());
  EXPECT_TRUE(second.host.logged("belongs to another name server that runs; set another data_dir"));
  EXPECT_EQ(kSystemError, put(second, second.open(), "k", "v").code);
  EXPECT_EQ(content(file()), R"({"configTable":{"n":{"k":"v"}}})");
}

TEST_F(KvFileTest, ManyChangesAtOnceAreAllAnswered) {
  Server server(texts(), 2);
  const gantry_conn conn = server.open(1);
  std::string frames;
  for (int i = 0; i < 20; ++i) frames += frame_of({.code = kPutKvConfig, .ext = {{"namespace", "n"}, {"key", std::to_string(i)}, {"value", "v"}}, .opaque = i});
  ASSERT_EQ(GANTRY_OK, server.feed(conn, frames));
  std::string bytes;
  EXPECT_TRUE(server.host.wait_until([&] { return read_frames(bytes += server.net.take(conn)).size() == 20; }));
  for (const ReplyText &reply : read_frames(bytes)) EXPECT_EQ(0, reply.code);
}

}  // namespace
}  // namespace gantry::test
