package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func moreCases() []testCase {
	return []testCase{
		{"go_many_goroutines", 90 * time.Second, manyGoroutines},
		{"go_push_message_arrives_at_once", 60 * time.Second, arrivesAtOnce},
		{"go_retry_after_failing_listener", 90 * time.Second, failingListener},
	}
}

// Many goroutines share one producer: nothing is lost, nothing comes twice.
func manyGoroutines(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	box := newInbox()
	for i := 0; i < 2; i++ {
		if _, err = e.push(e.group("c"), "*", box.listen); err != nil {
			return err
		}
	}
	const senders, each = 16, 200
	var wait sync.WaitGroup
	faults := make(chan error, senders)
	for s := 0; s < senders; s++ {
		wait.Add(1)
		go func(prefix string) {
			defer wait.Done()
			if _, err := send(p, e.topic(), "", prefix, each); err != nil {
				faults <- err
			}
		}(fmt.Sprint("s", s, "-"))
	}
	wait.Wait()
	close(faults)
	if err = <-faults; err != nil {
		return err
	}
	var bodies []string
	for s := 0; s < senders; s++ {
		for i := 0; i < each; i++ {
			bodies = append(bodies, fmt.Sprint("s", s, "-", i))
		}
	}
	// While the second member joins, the first may have begun what goes over to it.
	if err = box.awaitAll(bodies, 60*time.Second); err != nil {
		return err
	}
	if box.distinct() != len(bodies) {
		return fmt.Errorf("%d different messages instead of %d", box.distinct(), len(bodies))
	}
	return nil
}

// A consumer that waits gets a message long before its pull would time out.
func arrivesAtOnce(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	box := newInbox()
	if _, err = e.push(e.group("c"), "*", box.listen); err != nil {
		return err
	}
	first, err := send(p, e.topic(), "", "first", 8)
	if err != nil {
		return err
	}
	if err = box.awaitAll(first, 45*time.Second); err != nil {
		return err
	}
	for i := 0; i < 4; i++ {
		begin := time.Now()
		bodies, err := send(p, e.topic(), "", fmt.Sprint("now", i, "-"), 1)
		if err != nil {
			return err
		}
		if err = box.awaitAll(bodies, 30*time.Second); err != nil {
			return err
		}
		if took := time.Since(begin); took > 4*time.Second {
			return fmt.Errorf("the message came after %s", took)
		}
	}
	return nil
}

// A listener that returns an error gets the message again, with its count.
func failingListener(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var counts []int32
	listen := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		lock.Lock()
		defer lock.Unlock()
		if string(messages[0].Body) == primer {
			return consumer.ConsumeSuccess, nil
		}
		counts = append(counts, messages[0].ReconsumeTimes)
		if messages[0].ReconsumeTimes == 0 {
			return consumer.ConsumeRetryLater, errors.New("meant")
		}
		return consumer.ConsumeSuccess, nil
	}
	if _, err = e.push(e.group("c"), "*", listen); err != nil {
		return err
	}
	if _, err = send(p, e.topic(), "", "fails", 1); err != nil {
		return err
	}
	seen := func() []int32 {
		lock.Lock()
		defer lock.Unlock()
		return append([]int32{}, counts...)
	}
	if err = await(func() string { return fmt.Sprint("2 deliveries, so far ", seen()) }, 70*time.Second, func() bool { return len(seen()) >= 2 }); err != nil {
		return err
	}
	if got := seen(); got[0] != 0 || got[1] != 1 {
		return fmt.Errorf("counts %v instead of [0 1]", got)
	}
	return nil
}
