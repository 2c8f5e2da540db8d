package main

import (
	"bufio"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

const iterations = 600_000 // of PBKDF2 with SHA-256

// What is wrong with a name and a password.
var (
	errPassword = errors.New("no such account, or another password")
	errLocked   = errors.New("the account is locked")
)

// account is a user of the appliance. Without a Hash nobody can log in as it.
type account struct {
	Group      string `json:"group"` // for the VPN; may be empty
	Locked     bool   `json:"locked"`
	Salt       []byte `json:"salt"`
	Iterations int    `json:"iterations"`
	Hash       []byte `json:"hash"`
}

func newAccount(password string, iterations int) account {
	a := account{Salt: make([]byte, 16), Iterations: iterations}
	_, _ = rand.Read(a.Salt) // never fails
	a.Hash = a.hash(password)
	return a
}

// hash returns nil, which is nobody's, where a FIPS policy forbids the parameters.
func (a *account) hash(password string) []byte {
	hash, _ := pbkdf2.Key(sha256.New, password, a.Salt, a.Iterations, sha256.Size)
	return hash
}

// accounts are all of them, by name.
type accounts map[string]account

// check returns the account if the password is right and it is not locked.
func (list accounts) check(name, password string) (*account, error) {
	a, known := list[name]
	if !known { // takes as long as the others, so that the time does not tell
		a = account{Salt: make([]byte, 16), Iterations: iterations}
	}
	right := subtle.ConstantTimeCompare(a.hash(password), a.Hash) == 1
	if !right || len(a.Hash) == 0 {
		return nil, errPassword
	}
	if a.Locked {
		return nil, errLocked
	}
	return &a, nil
}

// loadAccounts reads the accounts file, a JSON object.
func loadAccounts(path string) (accounts, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("accounts: %w; make one with -new", err)
	}
	var list accounts
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, fmt.Errorf("accounts: %s: %w", path, err)
	}
	return list, nil
}

// printAccount writes an accounts file. The password is the first line of stdin.
func printAccount(name string, stdin io.Reader, stdout io.Writer) error {
	lines := bufio.NewScanner(stdin)
	if !lines.Scan() || lines.Text() == "" {
		return errors.Join(errors.New("no password on stdin"), lines.Err())
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(accounts{name: newAccount(lines.Text(), iterations)})
}
