package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

func consumeCases() []testCase {
	return []testCase{
		{"go_push_group_membership", 150 * time.Second, membership},
		{"go_push_broadcasting", 90 * time.Second, broadcasting},
		{"go_push_tags", 90 * time.Second, tags},
		{"go_push_restart_continues", 120 * time.Second, restart},
		{"go_from_where", 120 * time.Second, fromWhere},
		{"go_orderly", 120 * time.Second, orderly},
		{"go_retry_later", 120 * time.Second, retryLater},
	}
}

// settle sends probes until every member gets some and none is delivered twice: then the queues are shared.
func settle(p rocketmq.Producer, topic, prefix string, members ...*inbox) error {
	round := 0
	err := await(func() string { return fmt.Sprintf("%d members do not share the queues", len(members)) }, 60*time.Second,
		func() bool {
			round++
			probes, err := send(p, topic, "", fmt.Sprint(prefix, "-probe", round, "-"), 8)
			if err != nil {
				return false
			}
			total := func(body string) (sum int) {
				for _, member := range members {
					sum += member.count(body)
				}
				return
			}
			all := func() bool {
				for _, probe := range probes {
					if total(probe) == 0 {
						return false
					}
				}
				return true
			}
			if await(func() string { return "" }, 5*time.Second, all) != nil {
				return false
			}
			for _, member := range members {
				if member.missing(probes) == len(probes) {
					return false
				}
			}
			for _, probe := range probes {
				if total(probe) != 1 {
					return false
				}
			}
			return true
		})
	return err
}

// exactlyOnce sends messages and checks that the members together get each of them once.
func exactlyOnce(p rocketmq.Producer, topic, prefix string, count int, members ...*inbox) error {
	bodies, err := send(p, topic, "", prefix, count)
	if err != nil {
		return err
	}
	missing := func() (n int) {
		for _, body := range bodies {
			sum := 0
			for _, member := range members {
				sum += member.count(body)
			}
			if sum == 0 {
				n++
			}
		}
		return
	}
	err = await(func() string { return fmt.Sprintf("%d of %d messages %s missing", missing(), count, prefix) }, 30*time.Second,
		func() bool { return missing() == 0 })
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	for _, body := range bodies {
		sum := 0
		for _, member := range members {
			sum += member.count(body)
		}
		if sum != 1 {
			return fmt.Errorf("%s was delivered %d times", body, sum)
		}
	}
	return nil
}

// Members join and leave; whenever the group has settled every message comes exactly once.
func membership(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	a, b := newInbox(), newInbox()
	first, err := e.push(e.group("c"), "*", a.listen)
	if err != nil {
		return err
	}
	if err = settle(p, e.topic(), "one", a); err != nil {
		return err
	}
	if err = exactlyOnce(p, e.topic(), "alone", 100, a); err != nil {
		return err
	}
	if _, err = e.push(e.group("c"), "*", b.listen); err != nil {
		return err
	}
	moving, err := send(p, e.topic(), "", "moving", 100)
	if err != nil {
		return err
	}
	if err = settle(p, e.topic(), "two", a, b); err != nil {
		return err
	}
	if err = exactlyOnce(p, e.topic(), "both", 200, a, b); err != nil {
		return err
	}
	if err = first.Shutdown(); err != nil {
		return err
	}
	left, err := send(p, e.topic(), "", "left", 100)
	if err != nil {
		return err
	}
	if err = settle(p, e.topic(), "rest", b); err != nil {
		return err
	}
	if err = exactlyOnce(p, e.topic(), "last", 100, b); err != nil {
		return err
	}
	for _, body := range append(moving, left...) {
		if a.count(body)+b.count(body) == 0 {
			return fmt.Errorf("%s, sent while the group moved, is lost", body)
		}
	}
	return nil
}

func broadcasting(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	var boxes []*inbox
	for i := 0; i < 3; i++ {
		box := newInbox()
		boxes = append(boxes, box)
		if _, err = e.push(e.group("c"), "*", box.listen, consumer.WithConsumerModel(consumer.BroadCasting)); err != nil {
			return err
		}
	}
	bodies, err := send(p, e.topic(), "", "all", 60)
	if err != nil {
		return err
	}
	for i, box := range boxes {
		if err = box.awaitExactly(bodies, 45*time.Second); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
	}
	return nil
}

func tags(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	sent := map[string][]string{}
	var all []string
	for _, tag := range []string{"Red", "Green", "Blue", ""} {
		if sent[tag], err = send(p, e.topic(), tag, "m"+tag, 20); err != nil {
			return err
		}
		all = append(all, sent[tag]...)
	}
	star, two, one := newInbox(), newInbox(), newInbox()
	for expression, box := range map[string]*inbox{"*": star, "Red || Blue": two, "Green": one} {
		if _, err = e.push(e.group("c"+strconv.Itoa(len(expression))), expression, box.listen); err != nil {
			return err
		}
	}
	if err = star.awaitExactly(all, 45*time.Second); err != nil {
		return fmt.Errorf("*: %w", err)
	}
	if err = two.awaitExactly(append(sent["Red"], sent["Blue"]...), 45*time.Second); err != nil {
		return fmt.Errorf("Red || Blue: %w", err)
	}
	if err = one.awaitExactly(sent["Green"], 45*time.Second); err != nil {
		return fmt.Errorf("Green: %w", err)
	}
	return nil
}

// A group that comes back goes on where it stopped.
func restart(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	before, after := newInbox(), newInbox()
	c, err := e.push(e.group("c"), "*", before.listen)
	if err != nil {
		return err
	}
	bodies, err := send(p, e.topic(), "", "before", 100)
	if err != nil {
		return err
	}
	if err = before.awaitExactly(bodies, 45*time.Second); err != nil {
		return err
	}
	if err = c.Shutdown(); err != nil {
		return err
	}
	meanwhile, err := send(p, e.topic(), "", "meanwhile", 100)
	if err != nil {
		return err
	}
	if _, err = e.push(e.group("c"), "*", after.listen); err != nil {
		return err
	}
	return after.awaitExactly(meanwhile, 45*time.Second)
}

// Broadcasting members without offsets of their own start at the first, the last or the offset of a time.
func fromWhere(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	old, err := send(p, e.topic(), "", "old", 40)
	if err != nil {
		return err
	}
	// The time given to a consumer has whole seconds, and RocketMQ 4 takes the nearest message, so keep apart.
	apart := time.Now().Add(3 * time.Second)
	_ = await(func() string { return "the clock" }, 10*time.Second, func() bool { return time.Now().After(apart) })
	// The Go client reads this time as UTC.
	stamp := time.Now().UTC().Format("20060102150405")
	recent, err := send(p, e.topic(), "", "recent", 40)
	if err != nil {
		return err
	}
	first, last, timed := newInbox(), newInbox(), newInbox()
	broadcast := consumer.WithConsumerModel(consumer.BroadCasting)
	if _, err = e.push(e.group("first"), "*", first.listen, broadcast); err != nil {
		return err
	}
	if _, err = e.push(e.group("timed"), "*", timed.listen, broadcast,
		consumer.WithConsumeFromWhere(consumer.ConsumeFromTimestamp), consumer.WithConsumeTimestamp(stamp)); err != nil {
		return err
	}
	if _, err = e.push(e.group("last"), "*", last.listen, broadcast,
		consumer.WithConsumeFromWhere(consumer.ConsumeFromLastOffset)); err != nil {
		return err
	}
	if err = settle(p, e.topic(), "last", last); err != nil {
		return err
	}
	if n := last.missing(append(append([]string{}, old...), recent...)); n != 80 {
		return fmt.Errorf("the last-offset member got %d of the 80 earlier messages", 80-n)
	}
	if err = first.awaitAll(append(append([]string{}, old...), recent...), 45*time.Second); err != nil {
		return fmt.Errorf("first: %w", err)
	}
	if err = timed.awaitAll(recent, 45*time.Second); err != nil {
		return fmt.Errorf("by time: %w", err)
	}
	if n := timed.missing(old); n != 40 {
		return fmt.Errorf("the by-time member got %d of the 40 earlier messages", 40-n)
	}
	return nil
}

// Per key everything comes once and in order.
func orderly(e *env) error {
	p, err := e.started(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	if err != nil {
		return err
	}
	const keys, perKey = 8, 20
	for number := 0; number < perKey; number++ {
		for key := 0; key < keys; key++ {
			m := message(e.topic(), "", fmt.Sprintf("k%d:%d", key, number))
			if _, err = p.SendSync(context.Background(), m.WithShardingKey(fmt.Sprint("k", key))); err != nil {
				return err
			}
		}
	}
	var lock sync.Mutex
	total := 0
	seen := map[string][]string{}
	listen := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		lock.Lock()
		defer lock.Unlock()
		for _, m := range messages {
			if parts := strings.Split(string(m.Body), ":"); len(parts) == 2 {
				seen[parts[0]] = append(seen[parts[0]], parts[1])
				total++
			}
		}
		return consumer.ConsumeSuccess, nil
	}
	if _, err = e.push(e.group("c"), "*", listen, consumer.WithConsumerOrder(true)); err != nil {
		return err
	}
	received := func() int {
		lock.Lock()
		defer lock.Unlock()
		return total
	}
	err = await(func() string { return fmt.Sprintf("%d of %d messages", received(), keys*perKey) }, 90*time.Second,
		func() bool { return received() >= keys*perKey })
	if err != nil {
		return err
	}
	lock.Lock()
	defer lock.Unlock()
	for key, numbers := range seen {
		for i, text := range numbers {
			if text != strconv.Itoa(i) {
				return fmt.Errorf("%s: %s at position %d", key, text, i)
			}
		}
		if len(numbers) != perKey {
			return fmt.Errorf("%s: %d of %d", key, len(numbers), perKey)
		}
	}
	return nil
}

// A refused message comes again, with its count and its own topic.
func retryLater(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var tries []string
	listen := func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		lock.Lock()
		defer lock.Unlock()
		if string(messages[0].Body) == primer {
			return consumer.ConsumeSuccess, nil
		}
		tries = append(tries, fmt.Sprint(string(messages[0].Body), " ", messages[0].ReconsumeTimes, " ", messages[0].Topic))
		if len(tries) > 1 {
			return consumer.ConsumeSuccess, nil
		}
		concurrent, _ := primitive.GetConcurrentlyCtx(ctx)
		concurrent.DelayLevelWhenNextConsume = 1
		return consumer.ConsumeRetryLater, nil
	}
	// The broker makes the group's retry topic with the first heartbeat; a member that finds it at its start reads
	// it at once, others only after the next look at the routes.
	scout, err := e.push(e.group("c"), "Nothing", listen)
	if err != nil {
		return err
	}
	if err = awaitRoute("%RETRY%" + e.group("c")); err != nil {
		return err
	}
	if err = scout.Shutdown(); err != nil {
		return err
	}
	if _, err = send(p, e.topic(), "TagA", "bad", 1); err != nil {
		return err
	}
	if _, err = e.push(e.group("c"), "*", listen); err != nil {
		return err
	}
	seen := func() string {
		lock.Lock()
		defer lock.Unlock()
		return strings.Join(tries, ", ")
	}
	expected := fmt.Sprintf("bad0 0 %s, bad0 1 %s", e.topic(), e.topic())
	return await(func() string { return "deliveries so far: " + seen() }, 90*time.Second, func() bool { return seen() == expected })
}
