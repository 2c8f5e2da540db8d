package main

import (
	"errors"
	"io"
	"log/slog"
)

// dialSyslog is not to be had on Windows.
func dialSyslog(string, string, string, *slog.HandlerOptions, *spool) (slog.Handler, io.Closer, error) {
	return nil, nil, errors.New("there is no syslog on Windows: use log_file")
}
