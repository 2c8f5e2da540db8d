package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// shutdownTime is enough for a push that has just been sent.
const shutdownTime = 65 * time.Second

// appliance is the part of the program that lets users into the VPN.
type appliance struct {
	accounts     accounts
	vpn          radius.ClientSource // who may ask
	secondFactor radmfa.SecondFactor
	failMode     radmfa.FailMode
	audit        *slog.Logger // for the administrator: who logged in, and who did not
	log          *slog.Logger // for whoever runs the appliance
}

// serve serves the VPN daemon on conn until ctx ends and the users who are
// looking at a push have got their answer.
func (a *appliance) serve(ctx context.Context, conn net.PacketConn) error {
	server := &radmfa.Server{
		Clients:      a.vpn,
		Primary:      primary.AuthenticatorFunc(a.checkPassword),
		SecondFactor: a.secondFactor,
		FailMode:     a.failMode,
		OnEvent:      a.record,
		Logger:       a.log,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(conn) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	err := server.Shutdown(grace)
	if ended := <-served; !errors.Is(ended, radmfa.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// checkPassword is the first factor.
func (a *appliance) checkPassword(_ context.Context, r *primary.Request) (*primary.Result, error) {
	account, err := a.accounts.check(r.Username, string(r.Password))
	switch {
	case errors.Is(err, errLocked): // the password is right: this is no stranger
		return nil, &primary.Rejection{Reason: err.Error(), Message: "Your account is locked. Please call the help desk."}
	case err != nil:
		return nil, &primary.Rejection{Reason: err.Error()}
	}
	result := &primary.Result{}
	if account.Group != "" {
		result.Attributes.Add(rfc2865.FilterID_Type, radius.Attribute(account.Group))
	}
	return result, nil
}

// record writes an event to the audit log.
func (a *appliance) record(ctx context.Context, e radmfa.Event) {
	level := slog.LevelInfo
	if e.FailedOpen {
		level = slog.LevelWarn
	}
	a.audit.Log(ctx, level, string(e.Stage)+" "+string(e.Result),
		"user", e.Username, "from", e.ClientIP, "factor", e.Factor, "reason", e.Reason,
		"error", e.Err, "failed_open", e.FailedOpen, "seconds", e.Duration.Seconds())
}
