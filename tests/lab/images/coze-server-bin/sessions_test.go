// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

func TestCookieDomain(t *testing.T) {
	for _, one := range []struct{ origin, host, want string }{
		{"http://coze.example:8888", "10.0.0.1:8888", "coze.example"},
		{"https://[::1]:8888", "x", "::1"},
		{"", "127.0.0.1:28888", "127.0.0.1:28888"},
		{"", "coze.example", "coze.example"},
		{"null", "coze.example", ""},
	} {
		if got := cookieDomain(one.origin, one.host); got != one.want {
			t.Errorf("Origin %q, Host %q: %q, not %q", one.origin, one.host, got, one.want)
		}
	}
}

func TestSessionKeys(t *testing.T) {
	now := time.Now()
	key := newSessionKey(7711111111111111111, now)
	if len(key) < 190 || len(key) > 210 {
		t.Errorf("%d characters", len(key))
	}
	if !validSessionKey(key, now) || validSessionKey(key, now.Add(sessionLife+time.Second)) || validSessionKey("x"+key, now) || validSessionKey("", now) {
		t.Error("validity")
	}
}

func TestPasswords(t *testing.T) {
	stored, err := hashPassword("p")
	if err != nil || len(stored) > 128 {
		t.Fatal(stored, err)
	}
	if !passwordMatches("p", stored) || passwordMatches("q", stored) || passwordMatches("p", "nonsense") {
		t.Error("match")
	}
}

func TestIDsAreStringsAndAreTakenAsEither(t *testing.T) {
	var in struct{ A, B, C number }
	if err := json.Unmarshal([]byte(`{"A":"7711111111111111111","B":7711111111111111111,"C":""}`), &in); err != nil || in.A != in.B || in.C != 0 {
		t.Error(in, err)
	}
	if out, _ := json.Marshal(in.A); string(out) != `"7711111111111111111"` {
		t.Error(string(out))
	}
}

func TestChunks(t *testing.T) {
	got := chunks("one. two. .three", chunkStrategy{Separator: ".", MaxTokens: 4})
	if want := []string{"one", "two", "thre", "e"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestHostName(t *testing.T) {
	for host, want := range map[string]string{"a:1": "a", "a": "a", "[::1]:2": "::1"} {
		if got := hostName(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}
