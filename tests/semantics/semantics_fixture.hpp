// A broker with delayed delivery over the in-memory store; the test turns the loop and moves the clock.
#pragma once

#include "../broker/broker_fixture.hpp"

#include "kernel/broker/record/property_edit.hpp"
#include "kernel/semantics/delayed_delivery.hpp"
#include "kernel/semantics/pending_set.hpp"

namespace gantry::test {

class SemanticsTest : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    delayed_ = start_delivery();
  }
  void TearDown() override {
    host_.on_shard(0, [&] { delayed_->drain(); });
    host_.advance_ms(1000);
    turns();
    delayed_->stop();
    BrokerTest::TearDown();
    delayed_.reset();
  }

  std::unique_ptr<semantics::DelayedDelivery> start_delivery() {
    auto made = std::make_unique<semantics::DelayedDelivery>(broker_->core(), broker_->relay(), broker_->retention_hold());
    made->start();
    turns();
    return made;
  }
  void turns() {
    for (int i = 0; i < 20; ++i) host_.turn();
  }
  // Moves the clock on in small steps, so that every timer has its turn.
  void pass_ms(std::int64_t ms) {
    for (; ms > 0; ms -= 50) {
      host_.advance_ms(std::min<std::int64_t>(ms, 50));
      turns();
    }
  }

  struct Message {
    broker::StoredMessage m;
    std::string record;
    [[nodiscard]] std::string property(std::string_view key) const { return std::string(broker::PropertyEdit(m.props).get(key)); }
  };
  // Everything in queue 0 of a topic.
  std::vector<std::unique_ptr<Message>> messages(const std::string &name, std::uint32_t queue_no = 0) {
    std::vector<std::unique_ptr<Message>> out;
    gantry_topic_info info{};
    if (broker_->topic_find(name, &info) != GANTRY_OK) return out;
    gantry_fetch req = pull(info.topic, group("reader"), 0);
    req.queue_no = queue_no;
    for (std::string &record : fetch(req).records) {
      out.push_back(std::make_unique<Message>());
      out.back()->record = std::move(record);
      EXPECT_TRUE(broker::parse_record(out.back()->record, &out.back()->m));
    }
    return out;
  }

  std::unique_ptr<semantics::DelayedDelivery> delayed_;
};

// Tests of a part that holds messages back: it is started with the broker, and what was stopped lives until the broker is gone.
template <class Part>
class HoldingTest : public SemanticsTest {
 protected:
  void SetUp() override {
    SemanticsTest::SetUp();
    part_ = start();
  }
  void TearDown() override {
    stop();
    SemanticsTest::TearDown();
    old_.clear();
  }
  std::unique_ptr<Part> start(const semantics::PendingLimits &limits = {}) {
    auto made = std::make_unique<Part>(broker_->core(), broker_->relay(), broker_->retention_hold(), limits);
    const auto started = made->start();
    EXPECT_TRUE(started) << started.error().text;
    turns();
    return made;
  }
  void stop() {
    host_.on_shard(0, [&] { part_->drain(); });
    host_.advance_ms(1000);
    turns();
    part_->stop();
    old_.push_back(std::move(part_));
  }
  std::vector<std::string> bodies(const std::string &name = "T", std::uint32_t queue_no = 0) {
    std::vector<std::string> out;
    for (const auto &message : messages(name, queue_no)) out.emplace_back(message->m.body);
    return out;
  }
  [[nodiscard]] std::int64_t waiting() { return part_->queue().set().waiting(); }

  std::unique_ptr<Part> part_;

 private:
  std::vector<std::unique_ptr<Part>> old_;
};

}  // namespace gantry::test
