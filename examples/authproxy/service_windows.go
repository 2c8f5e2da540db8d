package main

import (
	"bytes"
	"context"
	"io"
	"time"

	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// start runs the program, as a service where the service manager has started it.
func start(args []string, stdout, stderr io.Writer) int {
	if inService, err := svc.IsWindowsService(); err != nil || !inService {
		return run(context.Background(), args, stdout, stderr)
	}
	s := &service{args: args}
	if err := svc.Run(serviceName, s); err != nil {
		s.tell(err.Error())
		return exitFailed
	}
	return s.status
}

// service is the program as the service manager sees it.
type service struct {
	args   []string
	status int
}

// Execute implements svc.Handler.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) (specific bool, code uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var problems bytes.Buffer // a service has no standard output
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.status = run(ctx, s.args, io.Discard, &problems)
	}()
	changes <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for {
		select {
		case <-done:
			if s.status != exitOK {
				s.tell(problems.String())
			}
			return true, uint32(s.status)
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				changes <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				changes <- svc.Status{State: svc.StopPending, WaitHint: uint32(drainTimeout / time.Millisecond)}
				cancel()
			}
		}
	}
}

// tell writes a problem to the event log, where an operator looks for it.
func (*service) tell(problem string) {
	log, err := eventlog.Open(serviceName)
	if err != nil {
		return
	}
	defer func() { _ = log.Close() }()
	_ = log.Error(1, problem)
}
