//go:build unix

package main

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// serviceGroup is the group that the packages make.
const serviceGroup = "authproxy"

// inheritGroup gives a file the group of its folder. A folder directly in /etc gets
// the service's group instead, where there is one.
func inheritGroup(path, folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	made, err := os.Stat(path)
	if err != nil {
		return err
	}
	group := int(info.Sys().(*syscall.Stat_t).Gid)
	if filepath.Clean(folder) == "/etc" {
		if g, err := user.LookupGroup(serviceGroup); err == nil {
			group, _ = strconv.Atoi(g.Gid)
		}
	}
	if int(made.Sys().(*syscall.Stat_t).Gid) == group {
		return nil
	}
	return os.Chown(path, -1, group)
}
