package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const maxBody = 4 * 1024 * 1024

func sendCases() []testCase {
	return []testCase{
		{"go_send_sync", 30 * time.Second, sendSync},
		{"go_send_async", 30 * time.Second, sendAsync},
		{"go_send_oneway", 60 * time.Second, sendOneway},
		{"go_send_batch", 60 * time.Second, sendBatch},
		{"go_send_vip_channel", 30 * time.Second, sendVip},
		{"go_body_sizes_and_compression", 90 * time.Second, bodySizes},
		{"go_send_too_large", 45 * time.Second, tooLarge},
		{"go_properties_utf8", 60 * time.Second, properties},
		{"go_delay_level", 60 * time.Second, delayLevel},
		{"go_transaction", 60 * time.Second, transaction},
	}
}

// The first send creates the topic; offsets of each queue count up from 0 without a gap.
func sendSync(e *env) error {
	p, err := e.producer()
	if err != nil {
		return err
	}
	next := map[int]int64{}
	ids := map[string]bool{}
	for i := 0; i < 100; i++ {
		result, err := p.SendSync(context.Background(), message(e.topic(), "TagA", fmt.Sprint("sync", i)))
		if err != nil {
			return err
		}
		queue := result.MessageQueue.QueueId
		if result.Status != primitive.SendOK || result.QueueOffset != next[queue] {
			return fmt.Errorf("queue %d: expected offset %d, got %s", queue, next[queue], result)
		}
		next[queue]++
		ids[result.MsgID] = true
		ids[result.OffsetMsgID] = true
	}
	if len(next) != 4 || len(ids) != 200 {
		return fmt.Errorf("%d queues (4 expected), %d different ids (200 expected)", len(next), len(ids))
	}
	return nil
}

func sendAsync(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	const count = 300
	var wait sync.WaitGroup
	var lock sync.Mutex
	places := map[string]bool{}
	var firstError error
	wait.Add(count)
	for i := 0; i < count; i++ {
		err := p.SendAsync(context.Background(), func(_ context.Context, result *primitive.SendResult, err error) {
			defer wait.Done()
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				firstError = err
				return
			}
			places[fmt.Sprint(result.MessageQueue.QueueId, "@", result.QueueOffset)] = true
		}, message(e.topic(), "TagA", fmt.Sprint("async", i)))
		if err != nil {
			return err
		}
	}
	wait.Wait()
	if firstError != nil || len(places) != count {
		return fmt.Errorf("%d different places of messages instead of %d, error: %v", len(places), count, firstError)
	}
	return nil
}

func sendOneway(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	var bodies []string
	for i := 0; i < 100; i++ {
		bodies = append(bodies, fmt.Sprint("oneway", i))
		if err := p.SendOneWay(context.Background(), message(e.topic(), "", bodies[i])); err != nil {
			return err
		}
	}
	got := newInbox()
	if _, err = e.push(e.group("c"), "*", got.listen); err != nil {
		return err
	}
	return got.awaitExactly(bodies, 45*time.Second)
}

// One request; each message keeps its own tag.
func sendBatch(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	var batch []*primitive.Message
	var even []string
	for i := 0; i < 50; i++ {
		tag := "Odd"
		if i%2 == 0 {
			tag = "Even"
			even = append(even, fmt.Sprint("batch", i))
		}
		batch = append(batch, message(e.topic(), tag, fmt.Sprint("batch", i)))
	}
	result, err := p.SendSync(context.Background(), batch...)
	if err != nil {
		return err
	}
	if n := len(strings.Split(result.OffsetMsgID, ",")); n != 50 {
		return fmt.Errorf("%d offset ids for 50 messages", n)
	}
	got := newInbox()
	if _, err = e.push(e.group("c"), "Even", got.listen); err != nil {
		return err
	}
	return got.awaitExactly(even, 45*time.Second)
}

func sendVip(e *env) error {
	p, err := e.started(producer.WithVIPChannel(true))
	if err != nil {
		return err
	}
	_, err = send(p, e.topic(), "TagA", "vip", 10)
	return err
}

// Bodies come back as they were, compressed ones too.
func bodySizes(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	random := rand.New(rand.NewSource(7))
	var lock sync.Mutex
	got := map[string][]byte{}
	_, err = e.push(e.group("c"), "*", func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		lock.Lock()
		defer lock.Unlock()
		for _, m := range messages {
			got[m.GetTags()] = m.Body
		}
		return consumer.ConsumeSuccess, nil
	})
	if err != nil {
		return err
	}
	sent := map[string][]byte{"compressed": []byte(strings.Repeat("Gantry carries containers. ", 4000))}
	for _, size := range []int{1, 255, 4095, 65_536, 1 << 20, maxBody - 65_536} {
		body := make([]byte, size)
		random.Read(body)
		sent[fmt.Sprint("size", size)] = body
	}
	for tag, body := range sent {
		m := primitive.NewMessage(e.topic(), body)
		if _, err := p.SendSync(context.Background(), m.WithTag(tag)); err != nil {
			return fmt.Errorf("%s: %w", tag, err)
		}
	}
	arrived := func() int {
		lock.Lock()
		defer lock.Unlock()
		n := len(got)
		if _, ok := got[""]; ok {
			n--
		}
		return n
	}
	err = await(func() string { return fmt.Sprintf("%d of %d bodies", arrived(), len(sent)) }, 60*time.Second,
		func() bool { return arrived() == len(sent) })
	if err != nil {
		return err
	}
	for tag, body := range sent {
		if !bytes.Equal(body, got[tag]) {
			return fmt.Errorf("body %s came back changed", tag)
		}
	}
	return nil
}

// Above the limit the broker refuses with MESSAGE_ILLEGAL, and the connection stays usable.
func tooLarge(e *env) error {
	p, err := e.started(producer.WithCompressMsgBodyOverHowmuch(1 << 30))
	if err != nil {
		return err
	}
	_, err = p.SendSync(context.Background(), message(e.topic(), "", strings.Repeat("x", maxBody+1)))
	if err == nil || !strings.Contains(err.Error(), "CODE: 13") {
		return fmt.Errorf("a body of 4 MiB + 1 byte: expected code 13, got: %v", err)
	}
	_, err = p.SendSync(context.Background(), message(e.topic(), "", "fits"))
	return err
}

func properties(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	m := message(e.topic(), "标签", "订单-1 größer 🚢")
	m.WithKeys([]string{"键一", "schlüssel"})
	m.WithProperty("城市", "上海")
	m.WithProperty("emoji", "🚢⚓")
	if _, err = p.SendSync(context.Background(), m); err != nil {
		return err
	}
	box := newInbox()
	// Not by its tag: this client hashes a tag's bytes, Java and the broker its UTF-16 units.
	if _, err = e.push(e.group("c"), "*", box.listen); err != nil {
		return err
	}
	if err = box.awaitExactly([]string{"订单-1 größer 🚢"}, 45*time.Second); err != nil {
		return err
	}
	got := box.messages[0]
	if got.GetTags() != "标签" || got.GetKeys() != "键一 schlüssel" || got.GetProperty("城市") != "上海" || got.GetProperty("emoji") != "🚢⚓" {
		return fmt.Errorf("properties came back changed: %v", got.GetProperties())
	}
	return nil
}

func delayLevel(e *env) error {
	p, err := e.started()
	if err != nil {
		return err
	}
	sent := time.Now()
	m := message(e.topic(), "", "late")
	if _, err = p.SendSync(context.Background(), m.WithDelayTimeLevel(2)); err != nil {
		return err
	}
	box := newInbox()
	if _, err = e.push(e.group("c"), "*", box.listen); err != nil {
		return err
	}
	if err = box.awaitExactly([]string{"late"}, 45*time.Second); err != nil {
		return err
	}
	took := time.UnixMilli(box.messages[0].StoreTimestamp).Sub(sent)
	if took < 4900*time.Millisecond || took > 8*time.Second {
		return fmt.Errorf("level 2 means 5 s, the message was stored after %s", took)
	}
	return nil
}

type decider struct{}

func (decider) ExecuteLocalTransaction(m *primitive.Message) primitive.LocalTransactionState {
	if strings.HasPrefix(string(m.Body), "committed") {
		return primitive.CommitMessageState
	}
	return primitive.RollbackMessageState
}

func (decider) CheckLocalTransaction(*primitive.MessageExt) primitive.LocalTransactionState {
	return primitive.UnknowState
}

func transaction(e *env) error {
	if _, err := e.started(); err != nil {
		return err
	}
	p, err := rocketmq.NewTransactionProducer(decider{}, producerOptions(producer.WithNsResolver(resolver()),
		producer.WithGroupName(e.group("tx")), producer.WithInstanceName(instanceName()))...)
	if err != nil {
		return err
	}
	if err = p.Start(); err != nil {
		return err
	}
	e.onClose(p.Shutdown)
	var committed []string
	for i := 0; i < 5; i++ {
		committed = append(committed, fmt.Sprint("committed", i))
		for _, body := range []string{committed[i], fmt.Sprint("rolled-back", i)} {
			if _, err = p.SendMessageInTransaction(context.Background(), message(e.topic(), "", body)); err != nil {
				return err
			}
		}
	}
	box := newInbox()
	if _, err = e.push(e.group("c"), "*", box.listen); err != nil {
		return err
	}
	return box.awaitExactly(committed, 45*time.Second)
}
