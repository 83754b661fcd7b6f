// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"slices"
	"strings"
)

const (
	codeEmailExists  = 700000001
	codeWrongLogin   = 700000003
	codeNotAllowed   = 700000007
	codeInvalidParam = 700000006
	codeNoRegister   = 700000008

	iconUser  = "default_icon/user_default_icon.png"
	iconSpace = "default_icon/team_default_icon.png"
)

type user struct {
	id          int64
	name        string
	uniqueName  string
	email       string
	password    string
	description string
	icon        string
	locale      string
	created     int64
}

// userBy finds a user by a column; sql.ErrNoRows if there is none.
func (a *app) userBy(ctx context.Context, column string, value any) (user, error) {
	var u user
	row := a.db.QueryRowContext(ctx, "SELECT id, name, unique_name, email, password, description, icon_uri, locale, created_at FROM `user` WHERE "+
		column+" = ? AND deleted_at IS NULL LIMIT 1", value)
	err := row.Scan(&u.id, &u.name, &u.uniqueName, &u.email, &u.password, &u.description, &u.icon, &u.locale, &u.created)
	return u, err
}

// credentials reads email and password, JSON or a form. The complaint about a missing one is worded as the real one's.
func credentialsOf(c *call) (email, password string, err error) {
	text, err := io.ReadAll(c.Body)
	if err != nil {
		return "", "", textError{http.StatusBadRequest, err.Error()}
	}
	fields := map[string]*string{}
	if strings.HasPrefix(c.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ := url.ParseQuery(string(text))
		for key := range form {
			value := form.Get(key)
			fields[key] = &value
		}
	} else if err := json.Unmarshal(text, &fields); err != nil {
		return "", "", textError{http.StatusBadRequest, fmt.Sprintf("bind body failed, err=%q", "Syntax error "+err.Error())}
	}
	for _, key := range []string{"email", "password"} {
		if fields[key] == nil {
			return "", "", textError{http.StatusBadRequest, fmt.Sprintf(
				"'%s' field is a 'required' parameter, but the request body does not have this parameter '%s'", key, key)}
		}
	}
	return *fields["email"], *fields["password"], nil
}

func (a *app) register(c *call) error {
	email, password, err := credentialsOf(c)
	var text textError
	if errors.As(err, &text) {
		return httpError{text.status, text.text}
	}
	if _, err := mail.ParseAddress(email); err != nil {
		return businessError{codeInvalidParam, "invalid parameter : Invalid email"}
	}
	if !a.mayRegister(email) {
		return businessError{codeNoRegister, "The user registration has been disabled by the administrator. Please contact the administrator!"}
	}
	if _, err := a.userBy(c.Context(), "email", email); err == nil {
		return businessError{codeEmailExists, "email already exist : " + email}
	} else if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	owner, err := a.addUser(c.Context(), email, password)
	if err != nil {
		return err
	}
	if err := a.openSession(c, owner); err != nil {
		return err
	}
	return a.answerUser(c, owner)
}

// mayRegister honours the switch of the environment, or in line 0.5 the saved configuration in its place.
func (a *app) mayRegister(email string) bool {
	if a.line == line05 {
		config := a.basicConfig()
		return !config.DisableRegistration || slices.Contains(commaList(config.AllowEmails), email)
	}
	if !strings.EqualFold(os.Getenv("DISABLE_USER_REGISTRATION"), "true") {
		return true
	}
	return slices.Contains(commaList(os.Getenv("ALLOW_REGISTRATION_EMAIL")), strings.ToLower(email))
}

func commaList(text string) []string {
	var out []string
	for _, one := range strings.Split(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

// addUser writes the user with a personal space. Both ids come from Redis.
func (a *app) addUser(ctx context.Context, email, password string) (user, error) {
	hash, err := hashPassword(password)
	if err != nil {
		return user{}, err
	}
	name, _, _ := strings.Cut(email, "@")
	unique := name
	if _, err := a.userBy(ctx, "unique_name", unique); err == nil {
		unique = email
	}
	id, err := a.newID(ctx)
	if err != nil {
		return user{}, err
	}
	space, err := a.newID(ctx)
	if err != nil {
		return user{}, err
	}
	made := user{id: id, name: name, uniqueName: unique, email: email, password: hash, icon: iconUser, locale: "en-US", created: nowMillis()}
	return made, a.inTransaction(ctx, func(tx *sql.Tx) error { return insertUser(ctx, tx, made, space) })
}

func insertUser(ctx context.Context, tx *sql.Tx, made user, space int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO space (id, owner_id, name, description, icon_uri, creator_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		space, made.id, "Personal Space", "This is your personal space", iconSpace, made.id, made.created, made.created)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO space_user (space_id, user_id, role_type, created_at, updated_at) VALUES (?, ?, 1, ?, ?)",
		space, made.id, made.created, made.created)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO `user` (id, name, unique_name, email, password, icon_uri, locale, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		made.id, made.name, made.uniqueName, made.email, made.password, made.icon, made.locale, made.created, made.created)
	return err
}

func (a *app) inTransaction(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (a *app) login(c *call) error {
	email, password, err := credentialsOf(c)
	if err != nil {
		return err
	}
	wrong := businessError{codeWrongLogin, "invalid email or password, please try again."}
	found, err := a.userBy(c.Context(), "email", email)
	if errors.Is(err, sql.ErrNoRows) {
		return wrong
	}
	if err != nil {
		return err
	}
	if !passwordMatches(password, found.password) {
		return wrong
	}
	if err := a.openSession(c, found); err != nil {
		return err
	}
	return a.answerUser(c, found)
}

func (a *app) logout(c *call) error {
	if err := a.setSession(c.Context(), c.user.id, ""); err != nil {
		return err
	}
	return c.ok(data{"redirect_url": ""})
}

// resetPassword of anybody's account is open to every user before v0.5.1, which line 0.5 plays. It ends the session.
func (a *app) resetPassword(c *call) error {
	email, password := c.URL.Query().Get("email"), c.URL.Query().Get("password")
	if a.line == line05 && !strings.EqualFold(email, c.user.email) {
		return businessError{codeNotAllowed, "unauthorized access : email mismatch"}
	}
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	if _, err := a.db.ExecContext(c.Context(), "UPDATE `user` SET password = ?, session_key = '' WHERE email = ?", hash, email); err != nil {
		return err
	}
	return c.ok(nil)
}

func (a *app) accountInfo(c *call) error { return a.answerUser(c, c.user) }

func (a *app) answerUser(c *call, u user) error {
	return c.ok(data{"data": data{
		"user_id_str": fmt.Sprint(u.id), "name": u.name, "user_unique_name": u.uniqueName, "email": u.email, "description": u.description,
		"avatar_url": a.storage.url(c.Context(), u.icon, c.Host), "screen_name": u.name,
		"app_user_info": data{"user_unique_name": u.uniqueName}, "locale": u.locale, "user_create_time": u.created / 1000,
	}})
}
