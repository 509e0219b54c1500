// A broker over the in-memory store plugin and a fake host whose loop the test turns by hand.
#pragma once

#include "kernel/broker/broker.hpp"
#include "support/plugin_loader.h"
#include "support/store_instance.h"
#include "support/test_util.h"

#include <gantry++/str.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gantry::test {

struct SeenEvents : broker::EventSink {
  void to_conn(gantry_conn conn, const gantry_event &event) override { told.emplace_back(conn, event); }
  void to_all(const gantry_event &event) override { all.push_back(event); }
  std::vector<std::pair<gantry_conn, gantry_event>> told;
  std::vector<gantry_event> all;
};

// A fetch result, released at the end.
struct Fetched {
  std::int32_t status = 0;
  std::uint32_t subject = 0;
  std::uint32_t outcome = 0;
  std::int64_t next_off = 0, min_off = 0, max_off = 0;
  std::vector<std::string> records;
  std::vector<std::int64_t> offsets;
};

class BrokerTest : public ::testing::Test {
 protected:
  explicit BrokerTest(broker::BrokerOptions options = {}) : options_(std::move(options)) { options_.default_durability = GANTRY_DURABILITY_MEMORY; }

  void SetUp() override {
    host_.freeze_clock(1'700'000'000'000);
    const gantry_component &component = component_of(load_plugin(GANTRY_MEMORY_STORE), GANTRY_STORE_ID);
    config_ = std::make_unique<FakeConfig>(component, ConfigTexts{});
    gantry_error err{};
    ASSERT_EQ(component.create(host_.abi(), config_->abi(), &store_self_, &err), GANTRY_OK) << err.text;
    component_ = &component;
    broker_ = std::make_unique<broker::Broker>(options_, host_.abi(), broker::StorePort{store_table(static_cast<const gantry_store_v1 *>(component.vtable)), store_self_}, events_);
    const auto opened = broker_->open(dir_.str());
    ASSERT_TRUE(opened) << opened.error().text;
    ASSERT_EQ(component.start(store_self_, &err), GANTRY_OK) << err.text;
    broker_->start(1);
    done_ = std::make_unique<CompletionLog>(host_);
  }

  // Lets a test stand between broker and store.
  virtual const gantry_store_v1 *store_table(const gantry_store_v1 *real) { return real; }

  void TearDown() override {
    host_.on_shard(0, [&] { broker_->drain(); });
    host_.turn();
    done_.reset();
    broker_->stop();
    component_->stop(store_self_);
    broker_.reset();
    component_->destroy(store_self_);
  }

  gantry_topic topic(const std::string &name, std::uint32_t queues = 4, std::uint32_t perm = GANTRY_PERM_READ | GANTRY_PERM_WRITE) {
    gantry_topic_info info{};
    info.name = str(name);
    info.perm = perm;
    info.read_queues = info.write_queues = queues;
    gantry_error err{};
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->topic_upsert(info, &err), GANTRY_OK) << err.text; });
    gantry_topic_info made{};
    EXPECT_EQ(broker_->topic_find(name, &made), GANTRY_OK);
    return made.topic;
  }
  gantry_group group(const std::string &name) {
    gantry_group made = 0;
    host_.on_shard(0, [&] { made = broker_->group_find(name, true); });
    return made;
  }

  static gantry_produce message(gantry_topic topic, std::string_view body, std::string_view props = {}, std::int32_t queue_no = 0) {
    gantry_produce req{};
    req.topic = topic;
    req.queue_no = queue_no;
    req.body = span(body);
    req.props = span(props);
    req.born_ms = 1'699'999'999'000;
    req.born_host[0] = 10;
    req.born_host[3] = 7;
    req.born_host_bytes = 4;
    req.born_port = 5000;
    return req;
  }
  gantry_cqe produce(gantry_produce req) {
    req.user_data = ++next_user_data_;
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->producer().produce(&req, 1, done_->id()), 1); });
    const auto cqe = done_->wait_for(req.user_data);
    EXPECT_TRUE(cqe.has_value());
    return cqe.value_or(gantry_cqe{});
  }
  gantry_cqe produce(gantry_topic topic, std::string_view body, std::string_view props = {}, std::int32_t queue_no = 0) {
    return produce(message(topic, body, props, queue_no));
  }

  gantry_fetch pull(gantry_topic topic, gantry_group group, std::int64_t offset, std::string_view tags = "*", std::int64_t wait_ms = 0) {
    gantry_fetch req{};
    req.user_data = ++next_user_data_;
    req.group = group;
    req.topic = topic;
    req.offset = offset;
    req.max_records = 32;
    req.commit_offset = -1;
    req.wait_ms = wait_ms;
    req.expr = str(tags);
    req.flags = GANTRY_FETCH_OWN_EXPR;
    return req;
  }
  void submit(const gantry_fetch &req) {
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->fetcher().fetch(&req, 1, done_->id()), 1); });
  }
  [[nodiscard]] bool answered(const gantry_fetch &req) {
    for (int i = 0; i < 5; ++i) host_.turn();
    return done_->times(req.user_data) != 0;
  }
  Fetched result(const gantry_fetch &req) {
    const auto cqe = done_->wait_for(req.user_data);
    EXPECT_TRUE(cqe.has_value());
    Fetched out;
    if (!cqe) return out;
    out.status = cqe->status;
    if (cqe->status != GANTRY_OK) {
      out.subject = cqe->flags;
      return out;
    }
    const auto *r = reinterpret_cast<const gantry_fetch_result *>(cqe->aux);
    out.outcome = r->outcome;
    out.next_off = r->next_off;
    out.min_off = r->min_off;
    out.max_off = r->max_off;
    for (std::uint32_t i = 0; i < r->n; ++i) {
      out.records.emplace_back(view(r->records[i].bytes));
      out.offsets.push_back(r->records[i].queue_off);
    }
    r->owner->release(r->owner);
    return out;
  }
  Fetched fetch(const gantry_fetch &req) {
    submit(req);
    return result(req);
  }

  broker::BrokerOptions options_;
  TempDir dir_;
  FakeHost host_;
  SeenEvents events_;
  std::unique_ptr<FakeConfig> config_;
  const gantry_component *component_ = nullptr;
  void *store_self_ = nullptr;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<CompletionLog> done_;
  std::uint64_t next_user_data_ = 0;
};

}  // namespace gantry::test
