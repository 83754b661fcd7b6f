// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

//go:embed index.html
var indexPage []byte

const codeNotAuthenticated = 700012006

// businessError is answered with HTTP 200; httpError and textError with their status; any other error with 500 and no details.
type businessError struct {
	code int
	text string
}

type httpError struct {
	status int
	text   string
}

type textError struct {
	status int
	text   string
}

func (e businessError) Error() string { return e.text }
func (e httpError) Error() string     { return e.text }
func (e textError) Error() string     { return e.text }

var errNotFound = httpError{http.StatusNotFound, "not found"}

// number is an int64 that JSON has as a string, and takes as either.
type number int64

func (n number) MarshalJSON() ([]byte, error) { return json.Marshal(strconv.FormatInt(int64(n), 10)) }

func (n *number) UnmarshalJSON(text []byte) error {
	trimmed := strings.Trim(string(text), `"`)
	if trimmed == "" || trimmed == "null" {
		return nil
	}
	value, err := strconv.ParseInt(trimmed, 10, 64)
	*n = number(value)
	return err
}

// data is a JSON object of an answer.
type data map[string]any

// call is one request on its way through a handler.
type call struct {
	w http.ResponseWriter
	*http.Request
	user user
}

// bind reads the JSON body. A body that is none is the caller's fault.
func (c *call) bind(into any) error {
	text, err := io.ReadAll(c.Body)
	if err != nil {
		return httpError{http.StatusBadRequest, err.Error()}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return httpError{http.StatusBadRequest, fmt.Sprintf("bind body failed, err=%q", "Syntax error "+err.Error())}
	}
	return nil
}

func (c *call) json(status int, body any) {
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(status)
	encoder := json.NewEncoder(c.w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body)
}

// ok answers code 0 with some fields beside it.
func (c *call) ok(fields data) error {
	body := data{"code": 0, "msg": ""}
	for key, value := range fields {
		body[key] = value
	}
	c.json(http.StatusOK, body)
	return nil
}

func (c *call) page(html []byte) {
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = c.w.Write(html)
}

func (c *call) fail(err error) {
	var business businessError
	var status httpError
	var text textError
	switch {
	case errors.As(err, &business):
		c.json(http.StatusOK, data{"code": business.code, "msg": business.text})
	case errors.As(err, &status):
		c.json(status.status, data{"code": status.status, "msg": status.text})
	case errors.As(err, &text):
		c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		c.w.WriteHeader(text.status)
		_, _ = io.WriteString(c.w, text.text)
	default:
		logf(levelError, "[InternalError] %s, err=%v", c.URL.Path, err)
		c.json(http.StatusInternalServerError, data{"code": 500, "msg": "internal server error"})
	}
}

// ServeHTTP is every request's way: headers, log, session or token, handler.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "hertz")
	w.Header().Set("X-Log-Id", uuid())
	if r.Header.Get("Origin") != "" {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
	r.Body = http.MaxBytesReader(w, r.Body, int64(envInt("MAX_REQUEST_BODY_SIZE", 200<<20)))
	c := &call{w: w, Request: r}
	started := time.Now()
	logRequest(r)
	defer func() {
		if fault := recover(); fault != nil {
			logf(levelError, "panic: %v\n%s", fault, debug.Stack())
			c.fail(fmt.Errorf("panic: %v", fault))
		}
		logf(levelInfo, "| %s | %s | %s | %v", r.Host, r.Method, r.URL.Path, time.Since(started))
	}()
	if err := a.dispatch(c); err != nil {
		c.fail(err)
	}
}

// logRequest shows JSON and form bodies at level debug, passwords included, as the real one does.
func logRequest(r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if threshold > levelDebug || (kind != "application/json" && kind != "application/x-www-form-urlencoded") {
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	logf(levelDebug, "%s %s query : %s, body : %s", r.Method, r.URL.Path, r.URL.RawQuery, text)
}

func (a *app) dispatch(c *call) error {
	path := c.URL.Path
	if found, ok := a.routes()[c.Method+" "+path]; ok {
		return a.admit(c, found)
	}
	switch {
	case path == "/" || path == "/sign":
		c.page(indexPage)
		return nil
	case strings.HasPrefix(path, "/api/passport/web/email/"):
		return errNotFound
	case a.line == line05 && (path == "/admin" || strings.HasPrefix(path, "/admin/")):
		http.StripPrefix("/admin", http.FileServer(http.Dir(confPath("admin")))).ServeHTTP(c.w, c.Request)
		return nil
	}
	return a.unknown(c)
}

// unknown is a path without a handler: it wants a session before it says so.
func (a *app) unknown(c *call) error {
	if err := a.wantSession(c); err != nil {
		return err
	}
	if strings.HasPrefix(c.URL.Path, "/api/") || c.Method != http.MethodGet {
		return errNotFound
	}
	c.page(indexPage)
	return nil
}

// admit runs a handler behind what its route asks for.
func (a *app) admit(c *call, found route) error {
	if found.since > a.line {
		return a.unknown(c)
	}
	var err error
	switch found.guard {
	case guardSession:
		err = a.wantSession(c)
	case guardAdmin:
		if err = a.wantSession(c); err == nil {
			err = a.wantAdmin(c)
		}
	case guardToken:
		err = a.wantToken(c)
	}
	if err != nil {
		return err
	}
	return found.handle(a, c)
}

// listen opens the ports. A key pair that cannot be read is only told, as in the real one.
func (a *app) listen() {
	a.serve(env("LISTEN_ADDR", ":8888"), a, os.Getenv("USE_SSL") == "1")
	if proxy := os.Getenv("MINIO_PROXY_ENDPOINT"); a.line == line02 && proxy != "" {
		handler, err := minioProxy()
		if err != nil {
			panic("minio proxy failed, err=" + err.Error())
		}
		a.serve(proxy, handler, false)
	}
}

func (a *app) serve(address string, handler http.Handler, secure bool) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		panic("listen failed, err=" + err.Error())
	}
	if secure {
		pair, err := tls.LoadX509KeyPair(os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_KEY_FILE"))
		if err != nil {
			fmt.Println(err.Error())
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	a.web = append(a.web, server)
	logf(levelInfo, "HERTZ: HTTP server listening on address=%s", listener.Addr())
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic("serve failed, err=" + err.Error())
		}
	}()
}

func uuid() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw)
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
}
