package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// A message whose last try has failed is in the group's dead letters, which another group can read.
func deadLetter(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	listen := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		if string(messages[0].Body) == primer {
			return consumer.ConsumeSuccess, nil
		}
		return consumer.ConsumeRetryLater, nil
	}
	if _, err = e.push(e.group("c"), "*", listen, consumer.WithMaxReconsumeTimes(0)); err != nil {
		return err
	}
	bodies, err := send(p, e.topic(), "TagA", "bad", 2)
	if err != nil {
		return err
	}
	dead := "%DLQ%" + e.group("c")
	if err = awaitRoute(dead); err != nil {
		return err
	}
	letters := newInbox()
	c, err := rocketmq.NewPushConsumer(consumerOptions(consumer.WithNsResolver(resolver()), consumer.WithGroupName(e.group("undertaker")),
		consumer.WithInstance(instanceName()), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))...)
	if err != nil {
		return err
	}
	if err = c.Subscribe(dead, selector("*"), letters.listen); err != nil {
		return err
	}
	if err = c.Start(); err != nil {
		return err
	}
	e.onClose(c.Shutdown)
	return letters.awaitExactly(bodies, 45*time.Second)
}

// The listener gets up to the batch size at once.
func consumeBatch(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	bodies, err := send(p, e.topic(), "", "m", 200)
	if err != nil {
		return err
	}
	box := newInbox()
	var largest atomic.Int64
	listen := func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for n := largest.Load(); int64(len(messages)) > n && !largest.CompareAndSwap(n, int64(len(messages))); n = largest.Load() {
		}
		return box.listen(ctx, messages...)
	}
	if _, err = e.push(e.group("c"), "*", listen, consumer.WithConsumeMessageBatchMaxSize(10)); err != nil {
		return err
	}
	if err = box.awaitExactly(bodies, 45*time.Second); err != nil {
		return err
	}
	if largest.Load() != 10 {
		return fmt.Errorf("the largest batch had %d messages instead of 10", largest.Load())
	}
	return nil
}

// A paused consumer takes no more than what it had asked for; when it goes on it gets the rest.
func pauseAndResume(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	box := newInbox()
	c, err := e.push(e.group("c"), "*", box.listen)
	if err != nil {
		return err
	}
	if err = settle(p, e.topic(), "before", box); err != nil {
		return err
	}
	c.Suspend()
	// Polls that wait at the broker are answered by these, one for each queue; no new ones follow.
	all, err := send(p, e.topic(), "", "ends-poll", 4)
	if err != nil {
		return err
	}
	time.Sleep(1500 * time.Millisecond)
	paused, err := send(p, e.topic(), "", "paused", 20)
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	if n := box.missing(paused); n != len(paused) {
		return fmt.Errorf("a paused consumer took %d messages", len(paused)-n)
	}
	c.Resume()
	return box.awaitAll(append(all, paused...), 30*time.Second)
}

func filterSQL(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	for i := 0; i < 20; i++ {
		m := message(e.topic(), "", fmt.Sprint("m", i))
		m.WithProperty("a", strconv.Itoa(i))
		m.WithProperty("color", []string{"red", "蓝"}[i%2])
		if _, err = p.SendSync(context.Background(), m); err != nil {
			return err
		}
	}
	for group, selected := range map[string]struct {
		expression string
		bodies     []string
	}{
		"one": {"a BETWEEN 5 AND 8 AND color = '蓝'", []string{"m5", "m7"}},
		"two": {"color IS NOT NULL AND NOT (a < 18)", []string{"m18", "m19"}},
	} {
		box := newInbox()
		c, err := rocketmq.NewPushConsumer(consumerOptions(consumer.WithNsResolver(resolver()), consumer.WithGroupName(e.group(group)),
			consumer.WithInstance(instanceName()), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))...)
		if err != nil {
			return err
		}
		if err = c.Subscribe(e.topic(), consumer.MessageSelector{Type: consumer.SQL92, Expression: selected.expression}, box.listen); err != nil {
			return err
		}
		if err = c.Start(); err != nil {
			return err
		}
		e.onClose(c.Shutdown)
		if err = box.awaitExactly(selected.bodies, 45*time.Second); err != nil {
			return fmt.Errorf("%s: %w", selected.expression, err)
		}
	}
	return nil
}

// together waits until a round of messages comes to the members once each.
func together(p rocketmq.Producer, topic, prefix string, members ...*inbox) error {
	var err error
	for round := 0; round < 10; round++ {
		if err = exactlyOnce(p, topic, fmt.Sprint(prefix, round, "-"), 20, members...); err == nil {
			return nil
		}
	}
	return err
}

// Two members with each of the strategies: together they get everything, once.
func allocate(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	strategies := map[string]consumer.AllocateStrategy{
		"average": consumer.AllocateByAveragely, "circle": consumer.AllocateByAveragelyCircle,
		"nearby": consumer.AllocateByMachineNearby, "hash": consumer.AllocateByConsistentHash(10),
	}
	var wait sync.WaitGroup
	faults := make(chan error, len(strategies))
	for name, strategy := range strategies {
		wait.Add(1)
		go func(name string, strategy consumer.AllocateStrategy) {
			defer wait.Done()
			a, b := newInbox(), newInbox()
			_, err := e.push(e.group(name), "*", a.listen, consumer.WithStrategy(strategy))
			if err == nil {
				_, err = e.push(e.group(name), "*", b.listen, consumer.WithStrategy(strategy))
			}
			if name == "hash" {
				// A hash of two names may give one of them everything, so the group is looked at as one.
				if err == nil {
					err = together(p, e.topic(), name, a, b)
				}
			} else if err == nil {
				if err = settle(p, e.topic(), name, a, b); err == nil {
					err = exactlyOnce(p, e.topic(), name, 40, a, b)
				}
			}
			if err != nil {
				faults <- fmt.Errorf("%s: %w", name, err)
			}
		}(name, strategy)
	}
	wait.Wait()
	select {
	case err = <-faults:
		return err
	default:
		return nil
	}
}
