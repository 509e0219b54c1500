// A broker with pop consumption over the in-memory store.
#pragma once

#include "semantics_fixture.hpp"

#include "kernel/semantics/pop.hpp"

namespace gantry::test {

// A pop's answer with its own copies.
struct Popped {
  struct Part {
    gantry_pop_part abi{};
    std::vector<std::uint32_t> deliveries;
  };
  std::int32_t status = 0;
  std::uint32_t outcome = 0;
  std::vector<std::string> bodies;
  std::vector<std::int64_t> offsets;
  std::vector<std::uint32_t> reconsume_times;
  std::vector<std::string> props;
  std::vector<Part> parts;
  std::int64_t pop_ms = 0, rest = 0;
  std::int32_t revive_queue = 0;
};

class PopTest : public SemanticsTest {
 protected:
  void SetUp() override {
    SemanticsTest::SetUp();
    pop_ = std::make_unique<semantics::Pop>(*broker_);
    pop_->start(1);
  }
  void TearDown() override {
    host_.on_shard(0, [&] { pop_->drain(); });
    host_.advance_ms(1000);
    turns();
    pop_->stop();
    broker_->fetcher().on_wake(nullptr, nullptr);
    SemanticsTest::TearDown();
    pop_.reset();
  }

  gantry_pop request(gantry_topic topic, std::uint32_t max = 32, std::int64_t invisible_ms = 10'000, std::int64_t wait_ms = 0) {
    gantry_pop req{};
    req.user_data = ++next_user_data_;
    req.group = group("G");
    req.topic = topic;
    req.queue_no = -1;
    req.max_records = max;
    req.invisible_ms = invisible_ms;
    req.wait_ms = wait_ms;
    return req;
  }
  std::int32_t submit_pop(const gantry_pop &req) {
    std::int32_t status = 0;
    gantry_error err{};
    host_.on_shard(0, [&] { status = pop_->pop(req, done_->id(), &err); });
    last_error_ = err.text;
    return status;
  }
  Popped popped(const gantry_pop &req) {
    Popped out;
    const auto cqe = done_->wait_for(req.user_data);
    EXPECT_TRUE(cqe.has_value());
    if (!cqe) return out;
    out.status = cqe->status;
    if (cqe->status != GANTRY_OK) return out;
    const auto &r = *reinterpret_cast<const gantry_pop_result *>(cqe->aux);
    out.outcome = r.outcome;
    out.pop_ms = r.pop_ms;
    out.rest = r.rest;
    out.revive_queue = r.revive_queue;
    for (std::uint32_t i = 0; i < r.n; ++i) {
      broker::StoredMessage m;
      EXPECT_TRUE(broker::parse_record(view(r.records[i].bytes), &m));
      out.bodies.emplace_back(m.body);
      out.props.emplace_back(m.props);
      out.offsets.push_back(r.records[i].queue_off);
      out.reconsume_times.push_back(m.reconsume_times);
    }
    for (std::uint32_t i = 0; i < r.n_parts; ++i) {
      out.parts.push_back({r.parts[i], {}});
      if (r.parts[i].deliveries != nullptr) out.parts.back().deliveries.assign(r.parts[i].deliveries, r.parts[i].deliveries + r.parts[i].n);
    }
    r.owner->release(r.owner);
    return out;
  }
  Popped pop(const gantry_pop &req) {
    EXPECT_EQ(submit_pop(req), GANTRY_OK) << last_error_;
    return popped(req);
  }
  Popped pop(gantry_topic topic, std::uint32_t max = 32, std::int64_t invisible_ms = 10'000) { return pop(request(topic, max, invisible_ms)); }

  static gantry_pop_handle handle(const Popped &p, std::size_t part, std::size_t record, gantry_group group, std::uint32_t flags = 0) {
    gantry_pop_handle h{};
    h.group = group;
    h.topic = p.parts.at(part).abi.topic;
    h.queue_no = p.parts.at(part).abi.queue_no;
    h.offset = p.offsets.at(record);
    h.pop_ms = p.pop_ms;
    h.flags = flags;
    return h;
  }
  // Status of the one message, after its row was written.
  std::int32_t ack(gantry_pop_handle h) {
    const std::uint64_t user_data = ++next_user_data_;
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = pop_->ack(&h, 1, user_data, done_->id()); });
    if (status == GANTRY_PENDING) status = done_->wait_for(user_data).value_or(gantry_cqe{0, 0, 0, -99, 0}).status;
    EXPECT_EQ(status, GANTRY_OK);
    return h.status;
  }
  void ack_all(const Popped &p) {
    for (std::size_t part = 0; part < p.parts.size(); ++part)
      for (std::uint32_t i = 0; i < p.parts[part].abi.n; ++i) EXPECT_EQ(ack(handle(p, part, p.parts[part].abi.first + i, group("G"))), GANTRY_OK);
  }
  std::int32_t change(gantry_pop_handle &h, std::int64_t invisible_ms, std::uint32_t flags = 0) {
    gantry_pop_change c{};
    c.user_data = ++next_user_data_;
    c.handle = h;
    c.invisible_ms = invisible_ms;
    c.flags = flags;
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = pop_->change_invisible(c, done_->id()); });
    if (status == GANTRY_PENDING) status = done_->wait_for(c.user_data).value_or(gantry_cqe{0, 0, 0, -99, 0}).status;
    EXPECT_EQ(status, GANTRY_OK);
    h = c.handle;
    return h.status;
  }
  std::int64_t committed(gantry_topic topic, std::uint32_t queue_no = 0) {
    std::int64_t out = -1;
    host_.on_shard(0, [&] { (void)broker_->offset_query(group("G"), topic, queue_no, GANTRY_OFFSET_EXACT, &out); });
    return out;
  }

  std::unique_ptr<semantics::Pop> pop_;
  std::string last_error_;
};

}  // namespace gantry::test
