package main

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

func pullCases() []testCase {
	return []testCase{
		{"go_pull_statuses", 60 * time.Second, pullStatuses},
		{"go_pull_poll_and_ack", 90 * time.Second, pollAndAck},
		{"go_admin_create_topic", 60 * time.Second, func(e *env) error { return adminTopics(e, false) }},
		{"go_admin_delete_topic", 60 * time.Second, func(e *env) error { return adminTopics(e, true) }},
	}
}

func (e *env) pull(group, expression string) (rocketmq.PullConsumer, error) {
	c, err := rocketmq.NewPullConsumer(consumerOptions(consumer.WithNsResolver(resolver()), consumer.WithGroupName(group),
		consumer.WithInstance(instanceName()), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))...)
	if err != nil {
		return nil, err
	}
	if err = c.Subscribe(e.topic(), selector(expression)); err != nil {
		return nil, err
	}
	if err = c.Start(); err != nil {
		return nil, err
	}
	e.onClose(c.Shutdown)
	return c, nil
}

// manual is a producer that sends each message to the queue that it names.
func (e *env) manual() (rocketmq.Producer, error) {
	return e.producer(producer.WithQueueSelector(producer.NewManualQueueSelector()), producer.WithGroupName(e.group("chosen")))
}

func pullStatuses(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	first, err := p.SendSync(context.Background(), message(e.topic(), "Some", "where"))
	if err != nil {
		return err
	}
	chosen, err := e.manual()
	if err != nil {
		return err
	}
	// The primer and the message above are in different queues; fill one that has neither up to 40.
	queue := &primitive.MessageQueue{Topic: e.topic(), BrokerName: first.MessageQueue.BrokerName, QueueId: (first.MessageQueue.QueueId + 1) % 4}
	const count = 40
	for i := 0; i < count; i++ {
		m := message(e.topic(), "Some", fmt.Sprint("m", i))
		m.Queue = queue
		result, err := chosen.SendSync(context.Background(), m)
		if err != nil || result.QueueOffset != int64(i) || result.MessageQueue.QueueId != queue.QueueId {
			return fmt.Errorf("message %d: %v %w", i, result, err)
		}
	}
	star, err := e.pull(e.group("star"), "*")
	if err != nil {
		return err
	}
	absent, err := e.pull(e.group("absent"), "Absent")
	if err != nil {
		return err
	}
	steps := []struct {
		what   string
		from   rocketmq.PullConsumer
		offset int64
		status primitive.PullStatus
		next   int64
	}{
		{"at the beginning", star, 0, primitive.PullFound, 32},
		{"near the end", star, 32, primitive.PullFound, count},
		{"at the end", star, count, primitive.PullNoNewMsg, count},
		{"of a tag that nobody sent", absent, 0, primitive.PullNoMsgMatched, count},
		{"beyond the end", star, count + 9, primitive.PullOffsetIllegal, count},
	}
	for _, step := range steps {
		var last string
		err = await(func() string { return "a pull " + step.what + ": " + last }, 10*time.Second, func() bool {
			result, err := step.from.PullFrom(context.Background(), queue, step.offset, 32)
			if err != nil {
				last = err.Error()
				return false
			}
			last = fmt.Sprintf("status %d, next %d", result.Status, result.NextBeginOffset)
			return result.Status == step.status && result.NextBeginOffset == step.next
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Polled and acknowledged messages are not polled again by the group.
func pollAndAck(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	bodies, err := send(p, e.topic(), "", "poll", 40)
	if err != nil {
		return err
	}
	c, err := e.pull(e.group("c"), "*")
	if err != nil {
		return err
	}
	box := newInbox()
	err = await(func() string { return fmt.Sprintf("%d of 40 messages missing", box.missing(bodies)) }, 60*time.Second, func() bool {
		request, err := c.Poll(context.Background(), time.Second)
		if err == nil {
			_, _ = box.listen(context.Background(), request.GetMsgList()...)
			c.ACK(context.Background(), request, consumer.ConsumeSuccess)
		}
		return box.missing(bodies) == 0
	})
	if err != nil {
		return err
	}
	for _, body := range bodies {
		if n := box.count(body); n != 1 {
			return fmt.Errorf("%s was polled %d times", body, n)
		}
	}
	return nil
}

// A created topic has its queues and is listed; a deleted one goes from the list and stays away.
func adminTopics(e *env, remove bool) error {
	a, err := newAdmin()
	if err != nil {
		return err
	}
	defer a.Close()
	p, err := e.started()
	if err != nil {
		return err
	}
	result, err := p.SendSync(context.Background(), message(e.topic(), "", "where"))
	if err != nil {
		return err
	}
	// The broker's address is the beginning of the offset id.
	id, err := primitive.UnmarshalMsgID([]byte(result.OffsetMsgID))
	if err != nil {
		return err
	}
	topic := e.topic("made")
	ctx := context.Background()
	addr := fmt.Sprintf("%s:%d", id.Addr, id.Port)
	err = a.CreateTopic(ctx, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(addr),
		admin.WithReadQueueNums(6), admin.WithWriteQueueNums(6))
	if err != nil {
		return fmt.Errorf("creating a topic at %s: %w", addr, err)
	}
	var last string
	err = await(func() string { return "queues of the created topic: " + last }, 15*time.Second, func() bool {
		queues, err := a.FetchPublishMessageQueues(ctx, topic)
		last = fmt.Sprint(len(queues), " ", err)
		return err == nil && len(queues) == 6
	})
	if err != nil {
		return err
	}
	listed := func() bool {
		topics, err := a.FetchAllTopicList(ctx)
		if err != nil {
			return false
		}
		for _, t := range topics.TopicList {
			if t == topic {
				return true
			}
		}
		return false
	}
	if !listed() {
		return fmt.Errorf("the created topic is not in the list of topics")
	}
	if !remove {
		return nil
	}
	err = a.DeleteTopic(ctx, admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(addr), admin.WithNameSrvAddr([]string{namesrvAddr}))
	if err != nil {
		return fmt.Errorf("deleting the topic: %w", err)
	}
	if err = await(func() string { return "the deleted topic is still listed" }, 15*time.Second, func() bool { return !listed() }); err != nil {
		return err
	}
	// A new topic makes the broker tell the name server all of its topics again.
	if _, err = p.SendSync(ctx, message(e.topic("next"), "", "new")); err != nil {
		return err
	}
	if err = awaitRoute(e.topic("next")); err != nil {
		return err
	}
	if listed() {
		return fmt.Errorf("the deleted topic came back")
	}
	return nil
}
