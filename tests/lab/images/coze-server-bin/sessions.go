// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

const (
	cookieName  = "session_key"
	sessionLife = 30 * 24 * time.Hour

	hashTime    = 3
	hashMemory  = 64 * 1024
	hashThreads = 4
	hashLength  = 32
)

// The real one's key is a constant in its source too.
var sessionSecret = []byte("opencoze-session-hmac-key")

type session struct {
	ID        int64     `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

func sign(payload []byte) []byte {
	mac := hmac.New(sha256.New, sessionSecret)
	mac.Write(payload)
	return mac.Sum(nil)
}

func newSessionKey(id int64, now time.Time) string {
	payload, _ := json.Marshal(session{ID: id, CreatedAt: now, ExpiresAt: now.Add(sessionLife)})
	return base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(sign(payload))
}

// validSessionKey checks signature and age; whether it is still somebody's is in the user table.
func validSessionKey(key string, now time.Time) bool {
	first, second, _ := strings.Cut(key, ".")
	payload, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(second)
	if err != nil || !hmac.Equal(signature, sign(payload)) {
		return false
	}
	var found session
	return json.Unmarshal(payload, &found) == nil && now.Before(found.ExpiresAt)
}

// cookieDomain is the host of Origin; without Origin it is the Host header as it is, port included, which clients refuse.
func cookieDomain(origin, host string) string {
	if origin == "" {
		return host
	}
	parsed, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

func sessionCookie(key, domain string) string {
	cookie := fmt.Sprintf("%s=%s; max-age=%d; ", cookieName, key, int(sessionLife.Seconds()))
	if domain != "" {
		cookie += "domain=" + domain + "; "
	}
	return cookie + "path=/; HttpOnly; SameSite"
}

func hashPassword(password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	key := argon2.IDKey([]byte(password), salt, hashTime, hashMemory, hashThreads, hashLength)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

func passwordMatches(password, stored string) bool {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 {
		return false
	}
	var memory, rounds uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &rounds, &threads); err != nil {
		return false
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, rounds, memory, threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

func notAuthenticated(reason string) error {
	return businessError{codeNotAuthenticated, "authentication failed: " + reason}
}

// wantSession finds the caller by the cookie. Only the newest line answers a missing one with HTTP 401.
func (a *app) wantSession(c *call) error {
	cookie, err := c.Cookie(cookieName)
	if err != nil || cookie.Value == "" {
		if a.line == line05 {
			return httpError{401, "missing session_key in cookie"}
		}
		return notAuthenticated("missing session_key in cookie")
	}
	if !validSessionKey(cookie.Value, time.Now()) {
		return notAuthenticated("access denied")
	}
	found, err := a.userBy(c.Context(), "session_key", cookie.Value)
	if errors.Is(err, sql.ErrNoRows) {
		return notAuthenticated("session not exist")
	}
	c.user = found
	return err
}

// openSession makes a new session, which ends the user's old one.
func (a *app) openSession(c *call, owner user) error {
	id, err := a.newID(c.Context())
	if err != nil {
		return err
	}
	key := newSessionKey(id, time.Now())
	if err := a.setSession(c.Context(), owner.id, key); err != nil {
		return err
	}
	logAt("passport_service.go:105", levelInfo, "[PassportWebEmailLoginPost] sessionKey: %s", key)
	c.w.Header().Set("Set-Cookie", sessionCookie(key, cookieDomain(c.Header.Get("Origin"), c.Host)))
	return nil
}

func (a *app) setSession(ctx context.Context, owner int64, key string) error {
	_, err := a.db.ExecContext(ctx, "UPDATE `user` SET session_key = ?, updated_at = ? WHERE id = ?", key, nowMillis(), owner)
	return err
}
