// Life-cycle calls meet exactly once, whatever fails.
#include "kernel/plugin/instance.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace gantry::plugin {
namespace {

// What a component was told to do, and its record of the calls. Reached through the config's ctx.
struct Probe {
  std::string name;
  std::vector<std::string> *calls = nullptr;
  std::int32_t create_code = GANTRY_OK, start_code = GANTRY_OK, ready_code = GANTRY_OK;
  const char *error_text = "";
  bool unterminated = false;
  const void *queried = nullptr;
};

std::int32_t fail(Probe &probe, std::int32_t code, gantry_error *err) {
  if (code != GANTRY_OK) {
    if (probe.unterminated)
      std::memset(err->text, 'x', sizeof err->text);
    else
      std::strncpy(err->text, probe.error_text, sizeof err->text - 1);
  }
  return code;
}

std::int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
  auto &probe = *static_cast<Probe *>(config->ctx);
  probe.calls->push_back("create " + probe.name);
  probe.queried = host->query(host, "test.table/1");
  *self = &probe;
  return fail(probe, probe.create_code, err);
}
std::int32_t start(void *self, gantry_error *err) noexcept {
  auto &probe = *static_cast<Probe *>(self);
  probe.calls->push_back("start " + probe.name);
  return fail(probe, probe.start_code, err);
}
void stop(void *self) noexcept { static_cast<Probe *>(self)->calls->push_back("stop " + static_cast<Probe *>(self)->name); }
std::int32_t ready(void *self) noexcept { return static_cast<Probe *>(self)->ready_code; }
void destroy(void *self) noexcept { static_cast<Probe *>(self)->calls->push_back("destroy " + static_cast<Probe *>(self)->name); }

constexpr gantry_component kComponent{sizeof(gantry_component), 0, "test/1", "probe", "", nullptr, nullptr, 0, 0, create, start, stop, destroy, ready};

class InstanceTest : public testing::Test {
 protected:
  InstanceTest() {
    tables_.add("test.table/1", &table_);
    for (Probe *probe : {&a_, &b_, &c_}) probe->calls = &calls_;
  }
  InstanceSetup setup(Probe &probe) {
    auto config = std::make_shared<gantry_config>();
    config->size = sizeof *config;
    config->ctx = &probe;
    return InstanceSetup{probe.name, config, &tables_, nullptr, nullptr};
  }
  using Calls = std::vector<std::string>;

  int table_ = 0;
  ServiceTables tables_;
  Calls calls_;
  Probe a_{"a"}, b_{"b"}, c_{"c"};
};

TEST_F(InstanceTest, WholeLife) {
  Instance instance(kComponent, setup(a_));
  ASSERT_TRUE(instance.create());
  EXPECT_EQ(a_.queried, &table_);
  EXPECT_EQ(instance.self(), &a_);
  ASSERT_TRUE(instance.start());
  EXPECT_TRUE(instance.started());
  instance.stop();
  instance.stop();
  instance.destroy();
  instance.destroy();
  EXPECT_EQ(calls_, (Calls{"create a", "start a", "stop a", "destroy a"}));
}

TEST_F(InstanceTest, ReadyWhenStartedAndTheComponentSaysSo) {
  a_.ready_code = GANTRY_PENDING;
  Instance instance(kComponent, setup(a_));
  ASSERT_TRUE(instance.create());
  EXPECT_FALSE(instance.ready());
  ASSERT_TRUE(instance.start());
  EXPECT_FALSE(instance.ready());
  a_.ready_code = GANTRY_OK;
  EXPECT_TRUE(instance.ready());
  instance.stop();
  EXPECT_FALSE(instance.ready());

  gantry_component silent = kComponent;
  silent.ready = nullptr;
  Instance other(silent, setup(b_));
  ASSERT_TRUE(other.create());
  ASSERT_TRUE(other.start());
  EXPECT_TRUE(other.ready());
}

TEST_F(InstanceTest, DestructionUnwinds) {
  {
    Instance instance(kComponent, setup(a_));
    ASSERT_TRUE(instance.create());
    ASSERT_TRUE(instance.start());
  }
  EXPECT_EQ(calls_, (Calls{"create a", "start a", "stop a", "destroy a"}));
}

TEST_F(InstanceTest, NeverCreatedIsNeverDestroyed) {
  { Instance instance(kComponent, setup(a_)); }
  EXPECT_TRUE(calls_.empty());
}

TEST_F(InstanceTest, FailedCreateIsNotDestroyed) {
  a_.create_code = GANTRY_E_CONFIG;
  a_.error_text = "advertise: no such host; give an address";
  {
    Instance instance(kComponent, setup(a_));
    const auto done = instance.create();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, GANTRY_E_CONFIG);
    EXPECT_EQ(done.error().text, "a: create: advertise: no such host; give an address");
  }
  EXPECT_EQ(calls_, (Calls{"create a"}));
}

TEST_F(InstanceTest, FailedStartIsDestroyedButNotStopped) {
  a_.start_code = GANTRY_E_IO;
  {
    Instance instance(kComponent, setup(a_));
    ASSERT_TRUE(instance.create());
    const auto done = instance.start();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text, "a: start: failed with code -13 and gave no reason");
  }
  EXPECT_EQ(calls_, (Calls{"create a", "start a", "destroy a"}));
}

TEST_F(InstanceTest, PositiveCodeIsNoSuccessAndTextMayLackItsEnd) {
  a_.create_code = GANTRY_PARTIAL;
  a_.unterminated = true;
  Instance instance(kComponent, setup(a_));
  const auto done = instance.create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, GANTRY_E_INTERNAL);
  EXPECT_EQ(done.error().text, "a: create: " + std::string(GANTRY_ERROR_TEXT_BYTES, 'x'));
}

TEST_F(InstanceTest, SetGoesForwardsAndBack) {
  {
    InstanceSet set;
    for (Probe *probe : {&a_, &b_, &c_}) set.add(kComponent, setup(*probe));
    ASSERT_TRUE(set.create_all());
    ASSERT_TRUE(set.start_all());
    calls_.clear();
  }
  EXPECT_EQ(calls_, (Calls{"stop c", "stop b", "stop a", "destroy c", "destroy b", "destroy a"}));
}

TEST_F(InstanceTest, SetUnwindsFailedCreate) {
  b_.create_code = GANTRY_E_NOMEM;
  InstanceSet set;
  for (Probe *probe : {&a_, &b_, &c_}) set.add(kComponent, setup(*probe));
  EXPECT_FALSE(set.create_all());
  EXPECT_EQ(calls_, (Calls{"create a", "create b", "destroy a"}));
}

TEST_F(InstanceTest, SetUnwindsFailedStart) {
  b_.start_code = GANTRY_E_IO;
  InstanceSet set;
  for (Probe *probe : {&a_, &b_, &c_}) set.add(kComponent, setup(*probe));
  ASSERT_TRUE(set.create_all());
  calls_.clear();
  EXPECT_FALSE(set.start_all());
  EXPECT_EQ(calls_, (Calls{"start a", "start b", "stop a", "destroy c", "destroy b", "destroy a"}));
}

using InstanceDeathTest = InstanceTest;
TEST_F(InstanceDeathTest, StartBeforeCreateIsABug) {
  Instance instance(kComponent, setup(a_));
  EXPECT_DEATH((void)instance.start(), "broken invariant");
}

}  // namespace
}  // namespace gantry::plugin
