package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

func featureCases() []testCase {
	return []testCase{
		{"go_dead_letter", 90 * time.Second, deadLetter},
		{"go_consume_batch", 60 * time.Second, consumeBatch},
		{"go_push_pause_and_resume", 60 * time.Second, pauseAndResume},
		{"go_filter_sql", 60 * time.Second, filterSQL},
		{"go_transaction_check_back", 90 * time.Second, checkBack},
		{"go_request_reply", 60 * time.Second, requestReply},
		{"go_namespace", 60 * time.Second, namespaces},
		{"go_allocate", 90 * time.Second, allocate},
		{"go_trace", 90 * time.Second, trace},
	}
}

// openDecider leaves every transaction open until the broker asks.
type openDecider struct{ checks atomic.Int64 }

func (*openDecider) ExecuteLocalTransaction(*primitive.Message) primitive.LocalTransactionState {
	return primitive.UnknowState
}

func (d *openDecider) CheckLocalTransaction(m *primitive.MessageExt) primitive.LocalTransactionState {
	d.checks.Add(1)
	if strings.HasPrefix(string(m.Body), "committed") {
		return primitive.CommitMessageState
	}
	return primitive.RollbackMessageState
}

func checkBack(e *env) error {
	if _, err := e.started(); err != nil {
		return err
	}
	decider, instance := &openDecider{}, instanceName()
	p, err := rocketmq.NewTransactionProducer(decider, producerOptions(producer.WithNsResolver(resolver()),
		producer.WithGroupName(e.group("tx")), producer.WithInstanceName(instance))...)
	if err != nil {
		return err
	}
	if err = p.Start(); err != nil {
		return err
	}
	e.onClose(p.Shutdown)
	for _, body := range []string{"committed", "rolled-back"} {
		if _, err = p.SendMessageInTransaction(context.Background(), message(e.topic(), "TagA", body)); err != nil {
			return err
		}
	}
	// A client announces its groups when a producer starts and then every 30 s; the one above knew no broker yet.
	if _, err = e.producer(producer.WithInstanceName(instance), producer.WithGroupName(e.group("herald"))); err != nil {
		return err
	}
	box := newInbox()
	if _, err = e.push(e.group("c"), "*", box.listen); err != nil {
		return err
	}
	if err = await(func() string { return fmt.Sprint(decider.checks.Load(), " of 2 checks") }, 60*time.Second,
		func() bool { return decider.checks.Load() >= 2 }); err != nil {
		return err
	}
	return box.awaitExactly([]string{"committed"}, 45*time.Second)
}

func requestReply(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	replier, err := e.producer(producer.WithGroupName(e.group("replier")))
	if err != nil {
		return err
	}
	faults := make(chan error, 100)
	listen := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range messages {
			if string(m.Body) == primer {
				continue
			}
			reply, err := consumer.CreateReplyMessage(m, nil)
			if err == nil {
				reply.Body = []byte("reply to " + string(m.Body))
				_, err = replier.SendSync(context.Background(), reply)
			}
			if err != nil {
				faults <- err
			}
		}
		return consumer.ConsumeSuccess, nil
	}
	if _, err = e.push(e.group("c"), "*", listen); err != nil {
		return err
	}
	for i := 0; i < 10; i++ {
		body := fmt.Sprint("请求", i)
		reply, err := p.Request(context.Background(), 20*time.Second, message(e.topic(), "", body))
		if err != nil {
			select {
			case fault := <-faults:
				return fmt.Errorf("%s: %w; replying: %v", body, err, fault)
			default:
				return fmt.Errorf("%s: %w", body, err)
			}
		}
		if string(reply.Body) != "reply to "+body {
			return fmt.Errorf("%s: got %q", body, reply.Body)
		}
	}
	return nil
}

// The same name in two namespaces is two topics and two groups.
func namespaces(e *env) error {
	plain, err := e.producer(producer.WithGroupName(e.group("plain")))
	if err != nil {
		return err
	}
	for _, namespace := range []string{"red", "blue"} {
		if _, err = plain.SendSync(context.Background(), message(namespace+"%"+e.topic(), "", primer)); err != nil {
			return err
		}
		if err = awaitRoute(namespace + "%" + e.topic()); err != nil {
			return err
		}
	}
	boxes := map[string]*inbox{}
	bodies := map[string][]string{}
	for _, namespace := range []string{"red", "blue"} {
		box := newInbox()
		boxes[namespace] = box
		if _, err = e.push(e.group("c"), "*", box.listen, consumer.WithNamespace(namespace)); err != nil {
			return err
		}
		p, err := e.producer(producer.WithNamespace(namespace), producer.WithGroupName(e.group("p"+namespace)))
		if err != nil {
			return err
		}
		if bodies[namespace], err = send(p, e.topic(), "", namespace, 10); err != nil {
			return err
		}
	}
	for namespace, box := range boxes {
		if err = box.awaitExactly(bodies[namespace], 45*time.Second); err != nil {
			return fmt.Errorf("%s: %w", namespace, err)
		}
	}
	return nil
}

// The traces of a send and of its consumption are in the trace topic.
func trace(e *env) error {
	if _, err := e.started(); err != nil {
		return err
	}
	own, _ := credentials() // traces are sent by a client of their own
	config := func(group string) *primitive.TraceConfig {
		return &primitive.TraceConfig{Access: primitive.Local, Resolver: resolver(), GroupName: e.group(group), Credentials: own}
	}
	p, err := e.producer(producer.WithTrace(config("trace-p")), producer.WithGroupName(e.group("traced")))
	if err != nil {
		return err
	}
	traces := newInbox()
	reader, err := rocketmq.NewPushConsumer(consumerOptions(consumer.WithNsResolver(resolver()), consumer.WithGroupName(e.group("reader")),
		consumer.WithInstance(instanceName()), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))...)
	if err != nil {
		return err
	}
	if err = reader.Subscribe("RMQ_SYS_TRACE_TOPIC", selector("*"), traces.listen); err != nil {
		return err
	}
	if err = reader.Start(); err != nil {
		return err
	}
	e.onClose(reader.Shutdown)
	box := newInbox()
	if _, err = e.push(e.group("c"), "*", box.listen, consumer.WithTrace(config("trace-c"))); err != nil {
		return err
	}
	result, err := p.SendSync(context.Background(), message(e.topic(), "TagA", "traced"))
	if err != nil {
		return err
	}
	if err = box.awaitExactly([]string{"traced"}, 45*time.Second); err != nil {
		return err
	}
	found := func(kind string) bool {
		traces.lock.Lock()
		defer traces.lock.Unlock()
		for _, m := range traces.messages {
			for _, record := range strings.Split(string(m.Body), "\x02") {
				if strings.HasPrefix(record, kind+"\x01") && strings.Contains(record, result.MsgID) {
					return true
				}
			}
		}
		return false
	}
	return await(func() string {
		return fmt.Sprintf("traces of %s: send %t, before %t, after %t", result.MsgID, found("Pub"), found("SubBefore"), found("SubAfter"))
	}, 45*time.Second, func() bool { return found("Pub") && found("SubBefore") && found("SubAfter") })
}
