// Runs cases of the Go client side by side against the name server in NAMESRV_ADDR and prints one line for each.
// Environment: INTEROP_ONLY, INTEROP_SKIP and, for what the target does not promise yet, INTEROP_NOT_YET (regular
// expressions for whole case names).
package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

type testCase struct {
	name     string
	deadline time.Duration
	body     func(*env) error
}

func main() {
	if namesrvAddr == "" {
		fmt.Fprintln(os.Stderr, "NAMESRV_ADDR is not set: host:port of the name server to test")
		os.Exit(2)
	}
	rlog.SetLogLevel("fatal")
	only := wholeName(os.Getenv("INTEROP_ONLY"), ".*")
	skip := wholeName(os.Getenv("INTEROP_SKIP"), "$^")
	notYet := wholeName(os.Getenv("INTEROP_NOT_YET"), "$^")
	var wait sync.WaitGroup
	var lock sync.Mutex
	passed, failed, skipped := 0, 0, 0
	for _, c := range append(sendCases(), append(consumeCases(), append(pullCases(), append(featureCases(), append(changeCases(), moreCases()...)...)...)...)...) {
		if !only.MatchString(c.name) || skip.MatchString(c.name) {
			continue
		}
		if notYet.MatchString(c.name) {
			skipped++
			fmt.Printf("SKIP %s: not yet promised\n", c.name)
			continue
		}
		wait.Add(1)
		go func(c testCase) {
			defer wait.Done()
			started := time.Now()
			err := run(c)
			lock.Lock()
			defer lock.Unlock()
			if err == nil {
				passed++
				fmt.Printf("PASS %s (%d ms)\n", c.name, time.Since(started).Milliseconds())
			} else {
				failed++
				fmt.Printf("FAIL %s: %s\n", c.name, strings.ReplaceAll(err.Error(), "\n", " "))
			}
		}(c)
	}
	wait.Wait()
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func wholeName(pattern, otherwise string) *regexp.Regexp {
	if pattern == "" {
		pattern = otherwise
	}
	return regexp.MustCompile("^(?:" + pattern + ")$")
}

func run(c testCase) error {
	e := &env{name: c.name}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if fault := recover(); fault != nil {
				done <- fmt.Errorf("panic: %v", fault)
			}
		}()
		done <- c.body(e)
	}()
	select {
	case err := <-done:
		e.close()
		return err
	case <-time.After(c.deadline * patience):
		return fmt.Errorf("not done after %s", c.deadline*patience)
	}
}
