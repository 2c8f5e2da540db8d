package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// manageService asks the service manager, and waits until the service is in the
// state that was asked for.
func manageService(command string, _ io.Writer) error {
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("the service manager refuses; is this an administrator's prompt? %w", err)
	}
	defer func() { _ = manager.Disconnect() }()
	service, err := manager.OpenService(serviceName)
	if err != nil {
		return fmt.Errorf("there is no service %s, or it is not for this account: see README.md for sc.exe create: %w", serviceName, err)
	}
	defer func() { _ = service.Close() }()
	if command != "start" {
		_, err := service.Control(svc.Stop)
		if err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
			return err
		}
		if err := waitFor(service, svc.Stopped); err != nil {
			return err
		}
	}
	if command == "stop" {
		return nil
	}
	if err := service.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return err
	}
	return waitFor(service, svc.Running)
}

// waitFor returns an error when the service does not come into a state.
func waitFor(service *mgr.Service, want svc.State) error {
	for end := time.Now().Add(drainTimeout); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		status, err := service.Query()
		if err != nil {
			return err
		}
		if status.State == want {
			return nil
		}
		if want == svc.Running && status.State == svc.Stopped {
			return errors.New("it ended at once: see the event log of applications, source " + serviceName)
		}
	}
	return fmt.Errorf("it is not in the state that was asked for after %s", drainTimeout)
}
