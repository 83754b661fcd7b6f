// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/md5"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A personal access token is the hash of its decimal id; the table has a hash of the token.
func tokenOf(id int64) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(id, 10)))
	return "pat_" + hex.EncodeToString(sum[:])
}

func storedToken(token string) string {
	sum := md5.Sum([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (a *app) createToken(c *call) error {
	var in struct {
		Name     string `json:"name"`
		Days     string `json:"duration_day"`
		ExpireAt int64  `json:"expire_at"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	expires := in.ExpireAt
	if in.Days != "customize" {
		days, err := strconv.Atoi(in.Days)
		if err != nil {
			return fmt.Errorf("duration_day: %w", err)
		}
		expires = time.Now().AddDate(0, 0, days).Unix()
	}
	id, err := a.newID(c.Context())
	if err != nil {
		return err
	}
	token, now := tokenOf(id), time.Now().Unix()
	_, err = a.db.ExecContext(c.Context(), "INSERT INTO api_key (id, api_key, name, user_id, expired_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		id, storedToken(token), in.Name, c.user.id, expires, now, now)
	if err != nil {
		return err
	}
	return c.ok(data{"data": data{"token": token, "personal_access_token": tokenData(number(id), in.Name, now, expires)}})
}

func tokenData(id number, name string, created, expires int64) data {
	return data{"id": id, "name": name, "created_at": created, "updated_at": created, "last_used_at": -1, "expire_at": expires}
}

// listTokens wants both paging parameters: without them the real one runs into a nil pointer.
func (a *app) listTokens(c *call) error {
	page, pageErr := strconv.Atoi(c.URL.Query().Get("page"))
	size, sizeErr := strconv.Atoi(c.URL.Query().Get("size"))
	if pageErr != nil || sizeErr != nil || page < 1 {
		return fmt.Errorf("page and size are not given")
	}
	rows, err := a.db.QueryContext(c.Context(), "SELECT id, name, created_at, expired_at FROM api_key WHERE user_id = ? ORDER BY created_at DESC LIMIT ? OFFSET ?",
		c.user.id, size, (page-1)*size)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := []data{}
	for rows.Next() {
		var id, created, expires int64
		var name string
		if err := rows.Scan(&id, &name, &created, &expires); err != nil {
			return err
		}
		found = append(found, tokenData(number(id), name, created, expires))
	}
	return c.ok(data{"data": data{"personal_access_tokens": found, "has_more": len(found) == size}})
}

func (a *app) deleteToken(c *call) error {
	var in struct {
		ID number `json:"id"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if _, err := a.db.ExecContext(c.Context(), "DELETE FROM api_key WHERE id = ? AND user_id = ?", in.ID, c.user.id); err != nil {
		return err
	}
	return c.ok(nil)
}

// wantToken finds the caller by the bearer token. Its age is not looked at, as in the real one.
func (a *app) wantToken(c *call) error {
	header := c.Header.Get("Authorization")
	if header == "" {
		return notAuthenticated("missing authorization in header")
	}
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return notAuthenticated("missing authorization in header")
	}
	var owner int64
	err := a.db.QueryRowContext(c.Context(), "SELECT user_id FROM api_key WHERE api_key = ?", storedToken(token)).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return notAuthenticated("CheckPermission failed")
	}
	if err != nil {
		return err
	}
	c.user, err = a.userBy(c.Context(), "id", owner)
	return err
}
