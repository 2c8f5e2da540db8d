package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// checkTimeout bounds the check of one peer.
const checkTimeout = 30 * time.Second

// check prints what validate does, and the result of each connection.
func check(ctx context.Context, path string, stdout io.Writer) int {
	file, err := config.Load(path)
	var instances []*instance
	if err == nil {
		instances, err = buildAll(file, discard())
	}
	if err != nil {
		_, _ = fmt.Fprintln(stdout, err)
		return exitFailed
	}
	defer closeAll(instances)
	status := exitOK
	results := make([][]finding, len(instances)) // of all at the same time
	var wg sync.WaitGroup
	for n, i := range instances {
		wg.Go(func() { results[n] = i.check(ctx) })
	}
	wg.Wait()
	for n, findings := range results {
		_, _ = fmt.Fprintf(stdout, "[%s]\n", instances[n].section.Name)
		for _, f := range findings {
			if f.err != nil {
				status = exitFailed
				_, _ = fmt.Fprintf(stdout, "  FAILED  %s: %s\n", f.text, unprefixed(f.err, f.said))
			} else {
				_, _ = fmt.Fprintf(stdout, "  ok      %s\n", f.text)
			}
		}
	}
	return status
}

// check tries every connection of an instance.
func (i *instance) check(ctx context.Context) []finding {
	first, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	findings := i.first.check(first)
	for n := range findings {
		findings[n].text = "first factor: " + findings[n].text
	}
	return append(append(findings, i.checkService(ctx)...), i.checkRedis(ctx)...)
}

func (i *instance) checkService(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	service := "service " + i.section.APIHost()
	theirs, err := i.service.Ping(ctx)
	if err != nil {
		return []finding{{text: service + ": ping", said: "ping", err: i.service.words.err(err)}}
	}
	findings := []finding{{text: service + ": ping answered"}}
	offset := time.Until(theirs).Round(time.Second)
	clock := finding{text: fmt.Sprintf("%s: the clocks differ by %s", service, offset.Abs())}
	if offset.Abs() > maxClockError {
		clock.err = errors.New("set this machine's clock, by NTP for example")
	}
	findings = append(findings, clock)
	if _, err := i.service.Check(ctx); err != nil {
		return append(findings, finding{text: service + ": check of the keys", said: "check", err: i.service.words.err(err)})
	}
	return append(findings, finding{text: service + ": the keys are right"})
}
