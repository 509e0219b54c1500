package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const primer = "primer"

var (
	namesrvAddr = os.Getenv("NAMESRV_ADDR")
	// Distinguishes this run's topics and groups from those of earlier runs against the same broker.
	runID     = strconv.FormatInt(time.Now().UnixMilli()/100%100_000_000, 36)
	instances atomic.Int64
	// Deadlines are for a machine that is not overloaded; INTEROP_PATIENCE (default 2) multiplies all of them.
	patience = readPatience()
)

func readPatience() time.Duration {
	if factor, err := strconv.Atoi(os.Getenv("INTEROP_PATIENCE")); err == nil && factor > 0 {
		return time.Duration(factor)
	}
	return 2
}

// env is what one case works with: names of its own and clients that are shut down when it ends.
type env struct {
	name    string
	lock    sync.Mutex
	closers []func() error
}

func (e *env) topic(part ...string) string {
	topic := "it_" + runID + "_" + e.name
	for _, p := range part {
		topic += "_" + p
	}
	return topic
}

func (e *env) group(part string) string { return "g_" + runID + "_" + e.name + "_" + part }

func (e *env) onClose(closer func() error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.closers = append(e.closers, closer)
}

func (e *env) close() {
	e.lock.Lock()
	defer e.lock.Unlock()
	var wait sync.WaitGroup
	for _, closer := range e.closers {
		wait.Add(1)
		go func(closer func() error) {
			defer wait.Done()
			_ = closer()
		}(closer)
	}
	wait.Wait()
}

// Signs what clients ask when the environment has a user.
func credentials() (primitive.Credentials, bool) {
	c := primitive.Credentials{AccessKey: os.Getenv("INTEROP_ACCESS_KEY"), SecretKey: os.Getenv("INTEROP_SECRET_KEY")}
	return c, c.AccessKey != ""
}

func producerOptions(options ...producer.Option) []producer.Option {
	if c, signed := credentials(); signed {
		return append(options, producer.WithCredentials(c))
	}
	return options
}

func consumerOptions(options ...consumer.Option) []consumer.Option {
	if c, signed := credentials(); signed {
		return append(options, consumer.WithCredentials(c))
	}
	return options
}

func newAdmin() (admin.Admin, error) {
	options := []admin.AdminOption{admin.WithResolver(resolver())}
	if c, signed := credentials(); signed {
		options = append(options, admin.WithCredentials(c))
	}
	return admin.NewAdmin(options...)
}

func resolver() primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{namesrvAddr})
}

// Clients with the same instance name share one connection set; these tests want separate clients.
func instanceName() string {
	return fmt.Sprintf("go%d_%s_%d", os.Getpid(), runID, instances.Add(1))
}

func (e *env) producer(options ...producer.Option) (rocketmq.Producer, error) {
	base := []producer.Option{producer.WithNsResolver(resolver()), producer.WithRetry(0),
		producer.WithGroupName(e.group("producer")), producer.WithInstanceName(instanceName()),
		producer.WithSendMsgTimeout(15 * time.Second * patience)}
	p, err := rocketmq.NewProducer(producerOptions(append(base, options...)...)...)
	if err != nil {
		return nil, err
	}
	if err = p.Start(); err != nil {
		return nil, err
	}
	e.onClose(p.Shutdown)
	return p, nil
}

// started is a producer whose topic exists: it sends one message that an inbox ignores and waits for the route.
func (e *env) started(options ...producer.Option) (rocketmq.Producer, error) {
	p, err := e.producer(options...)
	if err != nil {
		return nil, err
	}
	if _, err = p.SendSync(context.Background(), message(e.topic(), "", primer)); err != nil {
		return nil, err
	}
	return p, awaitRoute(e.topic())
}

// awaitRoute waits until the name server knows the topic: consumers that start before look again only after 30 s.
func awaitRoute(topic string) error {
	a, err := newAdmin()
	if err != nil {
		return err
	}
	defer a.Close()
	return await(func() string { return "no route of " + topic }, 15*time.Second, func() bool {
		queues, err := a.FetchPublishMessageQueues(context.Background(), topic)
		return err == nil && len(queues) > 0
	})
}

func (e *env) push(group, expression string, listen listener, options ...consumer.Option) (rocketmq.PushConsumer, error) {
	base := []consumer.Option{consumer.WithNsResolver(resolver()), consumer.WithGroupName(group),
		consumer.WithInstance(instanceName()), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset)}
	c, err := rocketmq.NewPushConsumer(consumerOptions(append(base, options...)...)...)
	if err != nil {
		return nil, err
	}
	if err = c.Subscribe(e.topic(), selector(expression), listen); err != nil {
		return nil, err
	}
	if err = c.Start(); err != nil {
		return nil, err
	}
	e.onClose(c.Shutdown)
	return c, nil
}

type listener = func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

func selector(expression string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
}

func message(topic, tag, body string) *primitive.Message {
	m := primitive.NewMessage(topic, []byte(body))
	if tag != "" {
		m.WithTag(tag)
	}
	return m
}

// send sends prefix0 .. prefix(count-1) round robin and returns these bodies.
func send(p rocketmq.Producer, topic, tag, prefix string, count int) ([]string, error) {
	var bodies []string
	for i := 0; i < count; i++ {
		body := prefix + strconv.Itoa(i)
		result, err := p.SendSync(context.Background(), message(topic, tag, body))
		if err != nil {
			return nil, fmt.Errorf("sending %s: %w", body, err)
		}
		if result.Status != primitive.SendOK {
			return nil, fmt.Errorf("sending %s: status %d", body, result.Status)
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

// await polls until the condition holds.
func await(what func() string, deadline time.Duration, condition func() bool) error {
	deadline *= patience
	end := time.Now().Add(deadline)
	for !condition() {
		if time.Now().After(end) {
			return fmt.Errorf("after %s: %s", deadline, what())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// inbox collects what consumers receive, counted by body.
type inbox struct {
	lock     sync.Mutex
	counts   map[string]int
	messages []*primitive.MessageExt
}

func newInbox() *inbox { return &inbox{counts: map[string]int{}} }

func (b *inbox) listen(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, m := range messages {
		if body := string(m.Body); body != primer {
			b.counts[body]++
			b.messages = append(b.messages, m)
		}
	}
	return consumer.ConsumeSuccess, nil
}

func (b *inbox) count(body string) int {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.counts[body]
}

func (b *inbox) distinct() int {
	b.lock.Lock()
	defer b.lock.Unlock()
	return len(b.counts)
}

func (b *inbox) missing(bodies []string) int {
	missing := 0
	for _, body := range bodies {
		if b.count(body) == 0 {
			missing++
		}
	}
	return missing
}

func (b *inbox) awaitAll(bodies []string, deadline time.Duration) error {
	return await(func() string { return fmt.Sprintf("%d of %d messages missing", b.missing(bodies), len(bodies)) },
		deadline, func() bool { return b.missing(bodies) == 0 })
}

// awaitExactly: all of bodies arrive, each once, and nothing else does (looked at once more after a pause).
func (b *inbox) awaitExactly(bodies []string, deadline time.Duration) error {
	if err := b.awaitAll(bodies, deadline); err != nil {
		return err
	}
	time.Sleep(time.Second)
	for _, body := range bodies {
		if n := b.count(body); n != 1 {
			return fmt.Errorf("%s was delivered %d times", body, n)
		}
	}
	if b.distinct() != len(bodies) {
		return fmt.Errorf("%d different messages instead of %d", b.distinct(), len(bodies))
	}
	return nil
}
