#include "pop_fixture.hpp"

namespace gantry::test {
namespace {

class Pop : public PopTest {};

TEST_F(Pop, GivesEachMessageOnceAndCommitsBehindWhatIsOut) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b", "c"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  const Popped first = pop(t, 2);
  EXPECT_EQ(first.bodies, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(first.rest, 1);
  ASSERT_EQ(first.parts.size(), 1u);
  EXPECT_EQ(first.parts[0].abi.start_off, 0);
  EXPECT_EQ(first.parts[0].abi.retry, 0u);
  const Popped second = pop(t);
  EXPECT_EQ(second.bodies, std::vector<std::string>{"c"});
  EXPECT_EQ(pop(t).outcome, GANTRY_POP_NOTHING);
  EXPECT_EQ(committed(t), 0);
  EXPECT_EQ(ack(handle(first, 0, 1, group("G"))), GANTRY_OK);
  EXPECT_EQ(committed(t), 0) << "a is still out";
  EXPECT_EQ(ack(handle(first, 0, 0, group("G"))), GANTRY_OK);
  EXPECT_EQ(committed(t), 2);
  ack_all(second);
  EXPECT_EQ(committed(t), 3);
}

TEST_F(Pop, LooksThroughAllQueues) {
  const gantry_topic t = topic("T", 4);
  for (int q = 0; q < 4; ++q) ASSERT_EQ(produce(t, std::to_string(q), {}, q).status, GANTRY_OK);
  const Popped all = pop(t);
  EXPECT_EQ(all.bodies.size(), 4u);
  EXPECT_EQ(all.parts.size(), 4u);
  gantry_pop one = request(t);
  one.queue_no = 2;
  EXPECT_EQ(pop(one).outcome, GANTRY_POP_NOTHING);
  ASSERT_EQ(produce(t, "x", {}, 1).status, GANTRY_OK);
  one.user_data = ++next_user_data_;
  EXPECT_EQ(pop(one).outcome, GANTRY_POP_NOTHING) << "another queue's";
  EXPECT_EQ(pop(t).bodies, std::vector<std::string>{"x"});
}

TEST_F(Pop, OfATopicWithPrioritiesTheHighestQueueComesFirst) {
  gantry_topic_info info{};
  gantry_error err{};
  info.name = str("T");
  info.perm = GANTRY_PERM_READ | GANTRY_PERM_WRITE;
  info.read_queues = info.write_queues = 4;
  info.attributes = str("+message.type=PRIORITY");
  host_.on_shard(0, [&] { ASSERT_EQ(broker_->topic_upsert(info, &err), GANTRY_OK) << err.text; });
  const gantry_topic t = topic("T", 4);
  for (int round = 0; round < 6; ++round) {
    for (int q = 0; q < 4; ++q) ASSERT_EQ(produce(t, std::to_string(q), {}, q).status, GANTRY_OK);
    const Popped all = pop(t);
    EXPECT_EQ(all.bodies, (std::vector<std::string>{"3", "2", "1", "0"})) << "in round " << round;
    ack_all(all);
  }
}

TEST_F(Pop, AHandleIsGoodOnceAndForOneDelivery) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a").status, GANTRY_OK);
  const Popped p = pop(t);
  gantry_pop_handle wrong = handle(p, 0, 0, group("G"));
  ++wrong.pop_ms;
  EXPECT_EQ(ack(wrong), GANTRY_POP_VOID);
  wrong = handle(p, 0, 0, group("other"));
  EXPECT_EQ(ack(wrong), GANTRY_POP_VOID);
  wrong = handle(p, 0, 0, group("G"));
  wrong.offset = 7;
  EXPECT_EQ(ack(wrong), GANTRY_POP_VOID);
  EXPECT_EQ(ack(handle(p, 0, 0, group("G"))), GANTRY_OK);
  EXPECT_EQ(ack(handle(p, 0, 0, group("G"))), GANTRY_POP_VOID);
}

TEST_F(Pop, FiltersByTagsAndMovesOnOverTheOthers) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a", "TAGS\x01" "A\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t, "b", "TAGS\x01" "B\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t, "a2", "TAGS\x01" "A\x02").status, GANTRY_OK);
  gantry_pop req = request(t);
  req.expr = str("A");
  const Popped p = pop(req);
  EXPECT_EQ(p.bodies, (std::vector<std::string>{"a", "a2"}));
  EXPECT_EQ(p.offsets, (std::vector<std::int64_t>{0, 2}));
  ack_all(p);
  EXPECT_EQ(committed(t), 3);
  ASSERT_EQ(produce(t, "b2", "TAGS\x01" "B\x02").status, GANTRY_OK);
  req.user_data = ++next_user_data_;
  EXPECT_EQ(pop(req).outcome, GANTRY_POP_NOTHING);
  EXPECT_EQ(committed(t), 4) << "nothing of what was skipped is out";
}

TEST_F(Pop, WaitsForTheNextMessage) {
  const gantry_topic t = topic("T", 4);
  const gantry_pop waits = request(t, 32, 10'000, 5'000);
  ASSERT_EQ(submit_pop(waits), GANTRY_OK);
  turns();
  EXPECT_EQ(done_->times(waits.user_data), 0u);
  EXPECT_EQ(pop_->waiting(group("G"), t, -1), 1u);
  EXPECT_EQ(pop_->waiting(group("G"), t, 2), 0u);
  ASSERT_EQ(produce(t, "x", {}, 3).status, GANTRY_OK);
  EXPECT_EQ(popped(waits).bodies, std::vector<std::string>{"x"});
  EXPECT_EQ(pop_->waiting(group("G"), t, -1), 0u);

  const gantry_pop in_vain = request(t, 32, 10'000, 5'000);
  ASSERT_EQ(submit_pop(in_vain), GANTRY_OK);
  pass_ms(4'500);
  EXPECT_EQ(done_->times(in_vain.user_data), 0u);
  pass_ms(1'000);
  EXPECT_EQ(popped(in_vain).outcome, GANTRY_POP_NOTHING);
}

TEST_F(Pop, EachMessageWakesOneOfThoseThatWait) {
  const gantry_topic t = topic("T", 1);
  const gantry_pop first = request(t, 32, 10'000, 5'000), second = request(t, 32, 10'000, 5'000);
  ASSERT_EQ(submit_pop(first), GANTRY_OK);
  ASSERT_EQ(submit_pop(second), GANTRY_OK);
  ASSERT_EQ(produce(t, "x").status, GANTRY_OK);
  EXPECT_EQ(popped(first).bodies, std::vector<std::string>{"x"}) << "the one that waited longest";
  turns();
  EXPECT_EQ(done_->times(second.user_data), 0u);
  ASSERT_EQ(produce(t, "y").status, GANTRY_OK);
  EXPECT_EQ(popped(second).bodies, std::vector<std::string>{"y"});
}

TEST_F(Pop, ALookTakesNothingAndDoesNotKeepAPopWaiting) {
  const gantry_topic t = topic("T", 1);
  gantry_pop look = request(t, 1, 0, 5'000);
  look.flags = GANTRY_POP_LOOK;
  ASSERT_EQ(submit_pop(look), GANTRY_OK);
  const gantry_pop waits = request(t, 32, 10'000, 5'000);
  ASSERT_EQ(submit_pop(waits), GANTRY_OK);
  ASSERT_EQ(produce(t, "x").status, GANTRY_OK);
  EXPECT_EQ(popped(waits).bodies, std::vector<std::string>{"x"});
  const Popped seen = popped(look);
  EXPECT_EQ(seen.outcome, GANTRY_POP_FOUND);
  EXPECT_TRUE(seen.bodies.empty());
  look.user_data = ++next_user_data_;
  look.wait_ms = 0;
  EXPECT_EQ(pop(look).outcome, GANTRY_POP_NOTHING);
}

TEST_F(Pop, APopOfALostConnectionGivesItsPlaceToOthers) {
  const gantry_topic t = topic("T", 1);
  gantry_pop lost = request(t, 32, 10'000, 5'000);
  lost.conn = 77;
  ASSERT_EQ(submit_pop(lost), GANTRY_OK);
  const gantry_pop stays = request(t, 32, 10'000, 5'000);
  ASSERT_EQ(submit_pop(stays), GANTRY_OK);
  host_.on_shard(0, [&] { pop_->cancel(77); });
  EXPECT_EQ(popped(lost).status, GANTRY_E_CANCELLED);
  ASSERT_EQ(produce(t, "x").status, GANTRY_OK);
  EXPECT_EQ(popped(stays).bodies, std::vector<std::string>{"x"});
}

TEST_F(Pop, WhatIsNotAcknowledgedComesAgainFromTheRetryTopic) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a", "TAGS\x01TagA\x02KEYS\x01k\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t, "b").status, GANTRY_OK);
  const Popped first = pop(t);
  ASSERT_EQ(first.bodies.size(), 2u);
  EXPECT_EQ(ack(handle(first, 0, 1, group("G"))), GANTRY_OK);
  pass_ms(9'500);
  EXPECT_EQ(pop(t).outcome, GANTRY_POP_NOTHING) << "still invisible";
  EXPECT_EQ(committed(t), 0);
  pass_ms(1'000);
  EXPECT_EQ(committed(t), 2);
  const Popped again = pop(t);
  ASSERT_EQ(again.bodies, std::vector<std::string>{"a"});
  EXPECT_EQ(again.reconsume_times[0], 1u);
  EXPECT_EQ(again.parts[0].abi.retry, 1u);
  const broker::PropertyEdit props(again.props[0]);
  EXPECT_EQ(props.get("TAGS"), "TagA");
  EXPECT_EQ(props.get("KEYS"), "k");
  EXPECT_EQ(props.get("ORIGIN_GROUP"), "G");
  EXPECT_EQ(props.get("1ST_POP_TIME"), std::to_string(first.pop_ms));
  EXPECT_EQ(messages("%RETRY%G_T").size(), 1u);
  EXPECT_EQ(ack(handle(first, 0, 0, group("G"))), GANTRY_POP_VOID) << "the first delivery's handle";

  // The second time it goes to the same retry topic, and a waiting pop gets it.
  const gantry_pop waits = request(t, 32, 10'000, 20'000);
  ASSERT_EQ(submit_pop(waits), GANTRY_OK);
  pass_ms(10'500);
  const Popped third = popped(waits);
  ASSERT_EQ(third.bodies, std::vector<std::string>{"a"});
  EXPECT_EQ(third.reconsume_times[0], 2u);
  EXPECT_EQ(broker::PropertyEdit(third.props[0]).get("1ST_POP_TIME"), std::to_string(first.pop_ms));
  ack_all(third);
  pass_ms(11'000);
  EXPECT_EQ(pop(t).outcome, GANTRY_POP_NOTHING);
}

TEST_F(Pop, TooManyDeliveriesMakeADeadLetter) {
  const gantry_topic t = topic("T", 1);
  gantry_produce tired = message(t, "tired");
  tired.reconsume_times = 16;
  ASSERT_EQ(produce(tired).status, GANTRY_OK);
  ASSERT_EQ(pop(t, 32, 1'000).bodies.size(), 1u);
  pass_ms(1'500);
  EXPECT_EQ(pop(t).outcome, GANTRY_POP_NOTHING);
  const auto dead = messages("%DLQ%G");
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0]->m.body, "tired");
  EXPECT_EQ(dead[0]->property("RETRY_TOPIC"), "T");
  EXPECT_EQ(committed(t), 1);
}

TEST_F(Pop, AChangedTimeHasANewHandle) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a").status, GANTRY_OK);
  ASSERT_EQ(produce(t, "b").status, GANTRY_OK);
  const Popped p = pop(t, 32, 3'000);
  gantry_pop_handle a = handle(p, 0, 0, group("G")), b = handle(p, 0, 1, group("G"));
  const gantry_pop_handle old = a;
  ASSERT_EQ(change(a, 7'000), GANTRY_OK);
  EXPECT_GT(a.pop_ms, old.pop_ms);
  EXPECT_EQ(ack(old), GANTRY_POP_VOID);
  ASSERT_EQ(change(b, 60'000), GANTRY_OK);
  pass_ms(6'500);
  EXPECT_EQ(pop(t).outcome, GANTRY_POP_NOTHING);
  pass_ms(1'000);
  EXPECT_EQ(pop(t).bodies, std::vector<std::string>{"a"});
  gantry_pop_handle late = a;
  EXPECT_EQ(change(late, 1'000), GANTRY_POP_VOID) << "it is out again under another handle";
  EXPECT_EQ(committed(t), 1) << "b is out";
  EXPECT_EQ(ack(b), GANTRY_OK);
  EXPECT_EQ(committed(t), 2);
}

TEST_F(Pop, ASuspendedMessageKeepsItsCount) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a").status, GANTRY_OK);
  const Popped p = pop(t, 32, 3'000);
  gantry_pop_handle a = handle(p, 0, 0, group("G"));
  ASSERT_EQ(change(a, 0, GANTRY_POP_KEEP_COUNT), GANTRY_OK);
  pass_ms(300);
  EXPECT_EQ(pop(t).reconsume_times, std::vector<std::uint32_t>{0});
}

TEST_F(Pop, FollowsAGroupThatSomebodyMoved) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b", "c"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  const Popped p = pop(t);
  ASSERT_EQ(p.bodies.size(), 3u);
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->offset_commit(group("G"), t, 0, 1, 0, 0), GANTRY_OK); });
  EXPECT_EQ(pop(t).bodies, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(ack(handle(p, 0, 0, group("G"))), GANTRY_POP_VOID) << "forgotten";
  EXPECT_EQ(committed(t), 1);
}

TEST_F(Pop, WhereANewGroupBegins) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  gantry_pop req = request(t);
  req.flags = GANTRY_POP_FROM_END;
  EXPECT_EQ(pop(req).bodies, (std::vector<std::string>{"a", "b"})) << "RocketMQ's rule: from 0 while the first message is in memory";
}

TEST_F(Pop, Refusals) {
  const gantry_topic t = topic("T", 2);
  gantry_pop req = request(t);
  req.group = 999;
  EXPECT_EQ(submit_pop(req), GANTRY_E_NOT_FOUND);
  req = request(999);
  EXPECT_EQ(submit_pop(req), GANTRY_E_NOT_FOUND);
  req = request(t);
  req.queue_no = 2;
  EXPECT_EQ(submit_pop(req), GANTRY_E_INVALID);
  req = request(t, 33);
  EXPECT_EQ(submit_pop(req), GANTRY_E_INVALID);
  req = request(t, 0);
  EXPECT_EQ(submit_pop(req), GANTRY_E_INVALID);
  req = request(t, 1, 0);
  EXPECT_EQ(submit_pop(req), GANTRY_E_INVALID);
  req = request(t);
  req.expr = str("||");
  EXPECT_EQ(submit_pop(req), GANTRY_E_SYNTAX);
  req = request(t);
  req.expr_type = str("SQL92");
  req.expr = str("a = 1");
  EXPECT_EQ(submit_pop(req), GANTRY_E_UNSUPPORTED);
  EXPECT_EQ(submit_pop(request(topic("hidden", 1, GANTRY_PERM_WRITE))), GANTRY_E_DENIED);
  EXPECT_EQ(submit_pop(request(topic(std::string(120, 'x'), 1))), GANTRY_E_LIMIT);
  EXPECT_NE(last_error_.find("%RETRY%G_xxx"), std::string::npos) << last_error_;
}

TEST_F(Pop, InOrderAQueueWaitsForItsAcknowledgements) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b", "c"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  gantry_pop req = request(t, 2, 5'000);
  req.flags = GANTRY_POP_ORDER;
  const Popped first = pop(req);
  ASSERT_EQ(first.bodies, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(first.revive_queue, GANTRY_POP_ORDERED_QUEUE);
  EXPECT_EQ(first.parts[0].deliveries, (std::vector<std::uint32_t>{0, 0}));
  const auto ordered = [&](std::size_t i) { return handle(first, 0, i, group("G"), GANTRY_POP_ORDER); };
  req.user_data = ++next_user_data_;
  EXPECT_EQ(pop(req).outcome, GANTRY_POP_NOTHING) << "blocked";
  EXPECT_EQ(ack(ordered(1)), GANTRY_OK);
  EXPECT_EQ(committed(t), 0);
  gantry_pop_handle wrong = ordered(0);
  wrong.offset = 2;
  EXPECT_EQ(ack(wrong), GANTRY_E_INVALID);

  // A pop that waits gets the rest as soon as the first ones are acknowledged.
  req.user_data = ++next_user_data_;
  req.wait_ms = 20'000;
  ASSERT_EQ(submit_pop(req), GANTRY_OK);
  turns();
  EXPECT_EQ(done_->times(req.user_data), 0u);
  EXPECT_EQ(ack(ordered(0)), GANTRY_OK);
  EXPECT_EQ(popped(req).bodies, std::vector<std::string>{"c"});
  EXPECT_EQ(committed(t), 2);

  // Not acknowledged in time: the same message again, with its count.
  req.user_data = ++next_user_data_;
  ASSERT_EQ(submit_pop(req), GANTRY_OK);
  pass_ms(5'500);
  const Popped again = popped(req);
  EXPECT_EQ(again.bodies, std::vector<std::string>{"c"});
  EXPECT_EQ(again.parts[0].deliveries, std::vector<std::uint32_t>{1});
  EXPECT_TRUE(messages("%RETRY%G_T").empty());
}

TEST_F(Pop, InOrderTheSameAttemptGetsTheSameAgain) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a").status, GANTRY_OK);
  gantry_pop req = request(t, 2, 5'000);
  req.flags = GANTRY_POP_ORDER;
  req.attempt = str("try-1");
  ASSERT_EQ(pop(req).bodies.size(), 1u);
  req.user_data = ++next_user_data_;
  const Popped again = pop(req);
  EXPECT_EQ(again.bodies, std::vector<std::string>{"a"});
  EXPECT_EQ(again.parts[0].deliveries, std::vector<std::uint32_t>{0});
  gantry_pop_handle h = handle(again, 0, 0, group("G"), GANTRY_POP_ORDER);
  ASSERT_EQ(change(h, 1'000), GANTRY_OK);
  req.user_data = ++next_user_data_;
  req.attempt = str("try-2");
  EXPECT_EQ(pop(req).outcome, GANTRY_POP_NOTHING);
  pass_ms(1'200);
  req.user_data = ++next_user_data_;
  EXPECT_EQ(pop(req).parts.at(0).deliveries, std::vector<std::uint32_t>{1});
}

class PopDeleted : public PopTest {
 protected:
  void remove(const std::string &topic_name, const std::string &group_name) {
    const std::uint64_t user_data = ++next_user_data_;
    gantry_error err{};
    host_.on_shard(0, [&] {
      const std::int32_t status = topic_name.empty() ? broker_->admin().group_delete(group_name, true, user_data, done_->id(), &err) : broker_->admin().topic_delete(topic_name, user_data, done_->id(), &err);
      EXPECT_EQ(status, GANTRY_OK) << err.text;
    });
    EXPECT_EQ(done_->wait_for(user_data).value_or(gantry_cqe{0, 0, 0, -99, 0}).status, GANTRY_OK);
  }
};

TEST_F(PopDeleted, WhatIsOutOfADeletedTopicNeverComesAgain) {
  const gantry_topic t = topic("T", 1);
  ASSERT_EQ(produce(t, "a").status, GANTRY_OK);
  const Popped out = pop(t, 32, 1000);
  remove("T", {});
  EXPECT_EQ(ack(handle(out, 0, 0, group("G"))), GANTRY_POP_VOID);
  gantry_pop gone = request(t);
  EXPECT_EQ(submit_pop(gone), GANTRY_E_NOT_FOUND);
  const gantry_topic again = topic("T", 1);
  pass_ms(3000);
  EXPECT_EQ(pop(again).outcome, GANTRY_POP_NOTHING);
  EXPECT_TRUE(messages("%RETRY%G_T").empty());
  ASSERT_EQ(produce(again, "new").status, GANTRY_OK);
  EXPECT_EQ(pop(again).bodies, std::vector<std::string>{"new"});
}

TEST_F(PopDeleted, WaitingPopsAreTold) {
  const gantry_topic t = topic("T", 1);
  gantry_pop waiting = request(t, 32, 1000, 60'000);
  ASSERT_EQ(submit_pop(waiting), GANTRY_OK);
  remove("T", {});
  EXPECT_EQ(popped(waiting).status, GANTRY_E_NOT_FOUND);
  const gantry_topic u = topic("U", 1);
  waiting = request(u, 32, 1000, 60'000);
  ASSERT_EQ(submit_pop(waiting), GANTRY_OK);
  remove({}, "G");
  EXPECT_EQ(popped(waiting).status, GANTRY_E_NOT_FOUND);
}

TEST_F(PopDeleted, AGroupThatComesBackBeginsAnew) {
  const gantry_topic t = topic("T", 1);
  for (const char *body : {"a", "b"}) ASSERT_EQ(produce(t, body).status, GANTRY_OK);
  const Popped out = pop(t, 1, 1000);
  ASSERT_EQ(out.bodies, std::vector<std::string>{"a"});
  remove({}, "G");
  EXPECT_EQ(ack(handle(out, 0, 0, group("G"))), GANTRY_POP_VOID);
  pass_ms(3000);
  EXPECT_TRUE(messages("%RETRY%G_T").empty()) << "nothing of the deleted group comes again";
  EXPECT_EQ(pop(t).bodies, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace gantry::test
