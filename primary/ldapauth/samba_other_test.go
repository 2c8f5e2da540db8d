//go:build !linux

package ldapauth

func stopSamba() {}
