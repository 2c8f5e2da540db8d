package main

import (
	"errors"
	"log/slog"
)

// dialSyslog is not to be had on Windows.
func (*logs) dialSyslog(string, string, string, *slog.HandlerOptions) (slog.Handler, error) {
	return nil, errors.New("there is no syslog on Windows: use log_file")
}
