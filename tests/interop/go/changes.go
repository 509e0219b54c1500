package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func changeCases() []testCase {
	return []testCase{
		{"go_orderly_suspend_repeats_in_order", 60 * time.Second, orderlySuspend},
		{"go_push_subscription_changes", 120 * time.Second, subscriptionChanges},
	}
}

// A suspended queue repeats the same message before any later one.
func orderlySuspend(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var log []string
	refusals := 2
	listen := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		lock.Lock()
		defer lock.Unlock()
		body := string(messages[0].Body)
		if body == primer {
			return consumer.ConsumeSuccess, nil
		}
		log = append(log, body)
		if body == "s3" && refusals > 0 {
			refusals--
			return consumer.SuspendCurrentQueueAMoment, nil
		}
		return consumer.ConsumeSuccess, nil
	}
	first, err := p.SendSync(context.Background(), message(e.topic(), "", "s0"))
	if err != nil {
		return err
	}
	chosen, err := e.manual()
	if err != nil {
		return err
	}
	for i := 1; i < 8; i++ {
		m := message(e.topic(), "", fmt.Sprint("s", i))
		m.Queue = first.MessageQueue
		if _, err = chosen.SendSync(context.Background(), m); err != nil {
			return err
		}
	}
	if _, err = e.push(e.group("c"), "*", listen, consumer.WithConsumerOrder(true), consumer.WithSuspendCurrentQueueTimeMillis(200*time.Millisecond)); err != nil {
		return err
	}
	seen := func() []string {
		lock.Lock()
		defer lock.Unlock()
		return slices.Clone(log)
	}
	expected := []string{"s0", "s1", "s2", "s3", "s3", "s3", "s4", "s5", "s6", "s7"}
	if err = await(func() string { return fmt.Sprint("10 deliveries, so far ", seen()) }, 50*time.Second,
		func() bool { return len(seen()) >= len(expected) }); err != nil {
		return err
	}
	if !slices.Equal(seen(), expected) {
		return fmt.Errorf("deliveries %v instead of %v", seen(), expected)
	}
	return nil
}

// A running member takes a second topic on.
func subscriptionChanges(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	second := e.topic("second")
	if _, err = p.SendSync(context.Background(), message(second, "", primer)); err != nil {
		return err
	}
	if err = awaitRoute(second); err != nil {
		return err
	}
	box := newInbox()
	c, err := e.push(e.group("c"), "*", box.listen)
	if err != nil {
		return err
	}
	all, err := send(p, e.topic(), "", "one", 20)
	if err != nil {
		return err
	}
	if err = box.awaitExactly(all, 45*time.Second); err != nil {
		return err
	}
	if err = c.Subscribe(second, selector("TagA"), box.listen); err != nil {
		return err
	}
	if _, err = send(p, second, "TagB", "other-tag", 20); err != nil {
		return err
	}
	more, err := send(p, second, "TagA", "two", 20)
	if err != nil {
		return err
	}
	return box.awaitExactly(append(all, more...), 60*time.Second)
}
