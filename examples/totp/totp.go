// Package totp is a second factor of one's own: the codes of an app (RFC 6238),
// which need no service. It is what a radmfa.Server's Fallback is for, and shows
// how any second factor is made:
//
//	server.Fallback = &totp.Factor{Key: keys, Store: &challenge.MemoryStore{}}
//
// A code is good once. Guesses are bounded by the Limits of the Server.
package totp

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what apps use (RFC 4226); HMAC is not weakened by SHA-1's collisions
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
)

// Period is how long a code is shown (RFC 6238 section 5.2). Digits is its length.
const (
	Period = 30 * time.Second
	Digits = 6
)

// minKey is the least length of a key in bytes. RFC 4226 section 4 wants 128 bits
// and recommends 160; many services give 80.
const minKey = 10

// Factor checks the codes of an app. It implements radmfa.SecondFactor. Do not
// modify it after the first use. It is safe for concurrent use.
type Factor struct {
	// Key returns the key of an account, as ParseKey does, or "" if the account
	// has none. An error rejects the login. Required. It may be called
	// concurrently.
	Key func(ctx context.Context, account string) (duo.Secret, error)

	// Store remembers which codes were used. Servers that share it accept a code
	// once between them. Required.
	Store challenge.Shared

	// Window is how many periods a clock may be off, either way. Zero: 1. Negative:
	// none.
	Window int
}

// ParseKey reads a key as apps take it: base32, in any case of letters, with or
// without blanks and padding. Its error does not contain the key.
func ParseKey(s string) (duo.Secret, error) {
	s = strings.ToUpper(strings.TrimRight(strings.Join(strings.Fields(s), ""), "="))
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
	if err != nil {
		return "", errors.New("totp: the key is not base32 (the letters A-Z and the digits 2-7)")
	}
	if len(key) < minKey {
		return "", fmt.Errorf("totp: the key has %d bytes, want %d or more", len(key), minKey)
	}
	return duo.Secret(key), nil
}

// Validate checks that the required fields are set.
func (f *Factor) Validate() error {
	if f.Key == nil || f.Store == nil {
		return errors.New("totp: Factor.Key and Factor.Store are required")
	}
	return nil
}

// Preauth asks every account that has a key for a code, and denies others.
func (f *Factor) Preauth(ctx context.Context, r *duo.PreauthRequest) (*duo.PreauthResponse, error) {
	key, err := f.key(ctx, r.Username)
	switch {
	case err != nil:
		return nil, err
	case key == "":
		return &duo.PreauthResponse{
			Result:        duo.PreauthDeny,
			StatusMessage: "Two-factor authentication is not available at the moment. Please try again later.",
		}, nil
	}
	return &duo.PreauthResponse{
		Result: duo.PreauthAuth,
		Prompt: &duo.Prompt{Text: "Enter the code that your authenticator app shows: "},
	}, nil
}

// Auth accepts the passcode if it is a code of the account that was not used yet,
// nor one before it.
func (f *Factor) Auth(ctx context.Context, r *duo.AuthRequest) (*duo.AuthResponse, error) {
	key, err := f.key(ctx, r.Username)
	if err != nil {
		return nil, err
	}
	if key != "" && r.Factor == duo.FactorPasscode {
		// Newest first, so that a code that happens to occur twice counts as used up
		// for both.
		now := time.Now().Unix() / int64(Period/time.Second)
		matched := int64(-1)
		for counter := now + f.window(); counter >= max(0, now-f.window()); counter-- {
			code := hotp(key, uint64(counter), Digits)
			if subtle.ConstantTimeCompare([]byte(code), []byte(r.Passcode)) == 1 && matched < 0 {
				matched = counter
			}
		}
		if matched >= 0 {
			fresh, err := f.use(ctx, key, uint64(matched))
			if err != nil {
				return nil, err
			}
			if fresh {
				return &duo.AuthResponse{Result: duo.ResultAllow, Status: duo.StatusAllow}, nil
			}
		}
	}
	return &duo.AuthResponse{
		Result: duo.ResultDeny, Status: duo.StatusDeny,
		StatusMessage: "This code is wrong, or was used already. Please log in again with the next one.",
	}, nil
}

// key returns an account's key, or "".
func (f *Factor) key(ctx context.Context, account string) (duo.Secret, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	key, err := f.Key(ctx, account)
	if err != nil {
		return "", fmt.Errorf("totp: the key cannot be found: %w", err)
	}
	return key, nil
}

func (f *Factor) window() int64 {
	switch {
	case f.Window == 0:
		return 1
	case f.Window < 0:
		return 0
	}
	return int64(f.Window)
}

// use notes that a code is used up with all before it, and reports whether it
// was good until then (RFC 6238 section 5.2). The note is under the key, not
// under the name, which may have several spellings.
func (f *Factor) use(ctx context.Context, key duo.Secret, counter uint64) (fresh bool, err error) {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("radmfa totp: last code used"))
	id := hex.EncodeToString(mac.Sum(nil))
	note := binary.BigEndian.AppendUint64(nil, counter)
	life := time.Duration(2*f.window()+2) * Period // when even the newest code is no longer accepted
	for {
		err := f.Store.Add(ctx, id, note, life)
		if !errors.Is(err, challenge.ErrConflict) {
			return err == nil, err
		}
		last, err := f.Store.Get(ctx, id)
		if errors.Is(err, challenge.ErrNotFound) {
			continue // it has just expired
		}
		if err != nil {
			return false, err
		}
		if len(last) != len(note) || binary.BigEndian.Uint64(last) >= counter {
			return false, nil
		}
		err = f.Store.CompareAndSwap(ctx, id, last, note, life)
		if !errors.Is(err, challenge.ErrConflict) && !errors.Is(err, challenge.ErrNotFound) {
			return err == nil, err
		}
	}
}

// hotp is the code of RFC 4226 section 5.3.
func hotp(key duo.Secret, counter uint64, digits int) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write(binary.BigEndian.AppendUint64(nil, counter))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	n := uint64(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff)
	modulus := uint64(1)
	for range digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", digits, n%modulus)
}
