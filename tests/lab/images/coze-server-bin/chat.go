// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	codeChatFailed = 104000001

	statusRunning  = "in_progress"
	statusComplete = "completed"
	statusFailed   = "failed"
)

// conversationColumns are what a line reads; the newest one knows user_id, which its schema.sql alone does not make.
func (a *app) conversationColumns() string {
	if a.line == line05 {
		return "id, section_id, user_id"
	}
	return "id, section_id, ''"
}

// talk is an open conversation with a bot; its owner is a user, or whatever a caller with a token names.
type talk struct {
	id      int64
	section int64
	bot     bot
	creator int64
	owner   string
}

// conversationOf finds a conversation by its id, or the caller's last one with the bot, or makes one.
func (a *app) conversationOf(c *call, with bot, id number, connector int64) (talk, error) {
	found := talk{bot: with, creator: c.user.id, owner: strconv.FormatInt(c.user.id, 10)}
	query := "SELECT " + a.conversationColumns() + " FROM conversation WHERE agent_id = ? AND creator_id = ? AND connector_id = ? AND status = 1 ORDER BY created_at DESC LIMIT 1"
	args := []any{with.id, c.user.id, connector}
	if id != 0 {
		query, args = "SELECT "+a.conversationColumns()+" FROM conversation WHERE id = ?", []any{id}
	}
	rows, err := a.db.QueryContext(c.Context(), query, args...)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	if rows.Next() {
		var owner string
		return found, rows.Scan(&found.id, &found.section, &owner)
	}
	if err := rows.Err(); err != nil {
		return found, err
	}
	return a.newConversation(c, found, connector)
}

func (a *app) newConversation(c *call, made talk, connector int64) (talk, error) {
	var err error
	if made.id, err = a.newID(c.Context()); err != nil {
		return made, err
	}
	if made.section, err = a.newID(c.Context()); err != nil {
		return made, err
	}
	columns, marks := "id, connector_id, agent_id, scene, section_id, creator_id, status, created_at, updated_at", "?, ?, ?, 0, ?, ?, 1, ?, ?"
	args := []any{made.id, connector, made.bot.id, made.section, c.user.id, nowMillis(), nowMillis()}
	if a.line == line05 {
		columns, marks, args = columns+", user_id", marks+", ?", append(args, made.owner)
	}
	_, err = a.db.ExecContext(c.Context(), "INSERT INTO conversation ("+columns+") VALUES ("+marks+")", args...)
	return made, err
}

type chatRequest struct {
	Bot          number `json:"bot_id"`
	Conversation number `json:"conversation_id"`
	Query        string `json:"query"`
	Count        int    `json:"count"`
}

func (a *app) listMessages(c *call) error {
	var in chatRequest
	if err := c.bind(&in); err != nil {
		return err
	}
	with, err := a.botBy(c, in.Bot)
	if err != nil {
		return err
	}
	found, err := a.conversationOf(c, with, in.Conversation, connectorCoze)
	if err != nil {
		return err
	}
	messages, err := a.messagesOf(c.Context(), "conversation_id", found.id)
	if err != nil {
		return err
	}
	return c.ok(data{
		"message_list": messages, "cursor": "0", "hasmore": false, "conversation_id": number(found.id), "last_section_id": number(found.section), "participant_info_map": data{},
	})
}

func (a *app) messagesOf(ctx context.Context, column string, id int64) ([]data, error) {
	rows, err := a.db.QueryContext(ctx, "SELECT id, run_id, role, content, message_type, created_at FROM message WHERE "+column+" = ? ORDER BY created_at, id", id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []data{}
	for rows.Next() {
		var id, run number
		var role, content, kind string
		var created int64
		if err := rows.Scan((*int64)(&id), (*int64)(&run), &role, &content, &kind, &created); err != nil {
			return nil, err
		}
		found = append(found, data{
			"message_id": id, "id": id, "chat_id": run, "role": role, "type": kind, "content": content, "content_type": "text", "created_at": created / 1000,
		})
	}
	return found, rows.Err()
}

// events writes server-sent events; from the first one on an error is an event too.
type events struct {
	w    http.ResponseWriter
	lock sync.Mutex
}

func newEvents(c *call) *events {
	c.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	c.w.Header().Set("Cache-Control", "no-cache")
	return &events{w: c.w}
}

func (e *events) send(name string, body any) {
	text, _ := json.Marshal(body)
	e.lock.Lock()
	defer e.lock.Unlock()
	_, _ = fmt.Fprintf(e.w, "event:%s\ndata:%s\n\n", name, text)
	_ = http.NewResponseController(e.w).Flush()
}

// chat is the product's own: acknowledgement, pieces of the answer, its end, a last word, done.
func (a *app) chat(c *call) error {
	var in chatRequest
	if err := c.bind(&in); err != nil {
		return err
	}
	out := newEvents(c)
	if err := a.chatEvents(c, in, out); err != nil {
		logf(levelError, "[AgentChat] err=%v", err)
		out.send("error", data{"code": codeChatFailed, "msg": "internal server error"})
	}
	return nil
}

func (a *app) chatEvents(c *call, in chatRequest, out *events) error {
	with, err := a.botBy(c, in.Bot)
	if err != nil {
		return err
	}
	found, err := a.conversationOf(c, with, in.Conversation, connectorCoze)
	if err != nil {
		return err
	}
	run, err := a.newRun(c.Context(), found, in.Query)
	if err != nil {
		return err
	}
	count := 0
	piece := func(role, kind, content string, finished bool) {
		out.send("message", data{
			"message": data{"role": role, "type": kind, "content": content, "content_type": "text", "message_id": number(run.answer), "reply_id": number(run.id),
				"section_id": number(found.section), "sender_id": number(with.id)},
			"is_finish": finished, "index": 0, "conversation_id": number(found.id), "seq_id": count,
		})
		count++
	}
	piece("user", "ack", in.Query, true)
	answer, _, err := a.answer(c.Context(), found, run, in.Query, func(text string) { piece("assistant", "answer", text, false) })
	if err != nil {
		return err
	}
	piece("assistant", "answer", answer, true)
	piece("assistant", "verbose", `{"msg_type":"generate_answer_finish","data":"","from_module":null,"from_unit":null}`, true)
	out.send("done", data{})
	return nil
}

// A run is one question with its answer.
type run struct {
	id       int64
	question int64
	answer   int64
}

func (a *app) newRun(ctx context.Context, of talk, query string) (run, error) {
	var made run
	for _, id := range []*int64{&made.id, &made.question, &made.answer} {
		var err error
		if *id, err = a.newID(ctx); err != nil {
			return made, err
		}
	}
	_, err := a.db.ExecContext(ctx, "INSERT INTO run_record (id, conversation_id, section_id, agent_id, user_id, status, creator_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		made.id, of.id, of.section, of.bot.id, of.owner, statusRunning, of.creator, nowMillis(), nowMillis())
	if err != nil {
		return made, err
	}
	return made, a.addMessage(ctx, of, made.id, made.question, "user", "question", query)
}

func (a *app) addMessage(ctx context.Context, of talk, run, id int64, role, kind, content string) error {
	_, err := a.db.ExecContext(ctx, "INSERT INTO message (id, run_id, conversation_id, user_id, agent_id, role, content_type, content, message_type, section_id, status, created_at, updated_at) "+
		"VALUES (?, ?, ?, ?, ?, ?, 'text', ?, ?, ?, 1, ?, ?)", id, run, of.id, of.owner, of.bot.id, role, content, kind, of.section, nowMillis(), nowMillis())
	return err
}

// answer asks the bot's model and keeps what it said.
func (a *app) answer(ctx context.Context, of talk, run run, query string, each func(string)) (string, usage, error) {
	text, used, err := a.askModel(ctx, of.bot, query, each)
	status := statusComplete
	if err != nil {
		status = statusFailed
	}
	numbers, _ := json.Marshal(used)
	_, dbErr := a.db.ExecContext(ctx, "UPDATE run_record SET status = ?, completed_at = ?, `usage` = ? WHERE id = ?", status, nowMillis(), numbers, run.id)
	if err != nil {
		return "", used, err
	}
	if dbErr != nil {
		return "", used, dbErr
	}
	return text, used, a.addMessage(ctx, of, run.id, run.answer, "assistant", "answer", text)
}

func (a *app) askModel(ctx context.Context, of bot, query string, each func(string)) (string, usage, error) {
	with, err := a.models.byID(ctx, int64(of.model))
	if err != nil {
		return "", usage{}, err
	}
	messages := []chatMessage{{Role: "user", Content: query}}
	if of.prompt != "" {
		messages = append([]chatMessage{{Role: "system", Content: of.prompt}}, messages...)
	}
	return with.ask(ctx, messages, each)
}

type openRequest struct {
	Bot          number        `json:"bot_id"`
	User         string        `json:"user_id"`
	Conversation number        `json:"conversation_id"`
	Stream       *bool         `json:"stream"`
	Messages     []chatMessage `json:"additional_messages"`
}

// openChat is the API with a token. The older lines stream always; v0.5.1 answers at once when told not to, and goes on behind.
func (a *app) openChat(c *call) error {
	var in openRequest
	if err := c.bind(&in); err != nil {
		return err
	}
	if id := c.URL.Query().Get("conversation_id"); id != "" {
		_ = json.Unmarshal([]byte(strconv.Quote(id)), &in.Conversation)
	}
	with, err := a.publishedBot(c, in.Bot)
	if err != nil {
		return err
	}
	found, err := a.conversationOf(c, with, in.Conversation, connectorAPI)
	if err != nil {
		return err
	}
	found.owner = in.User
	query := ""
	if len(in.Messages) > 0 {
		query = in.Messages[len(in.Messages)-1].Content
	}
	started, err := a.newRun(c.Context(), found, query)
	if err != nil {
		return err
	}
	if a.line == line05 && (in.Stream == nil || !*in.Stream) {
		go func() {
			if _, _, err := a.answer(context.WithoutCancel(c.Context()), found, started, query, nil); err != nil {
				logf(levelError, "[OpenapiAgentRun] err=%v", err)
			}
		}()
		return c.ok(data{"data": chatData(found, started, statusRunning)})
	}
	a.openEvents(c, found, started, query)
	return nil
}

// publishedBot wants a version for the API's connector.
func (a *app) publishedBot(c *call, id number) (bot, error) {
	with, err := a.botBy(c, id)
	if err != nil {
		return with, err
	}
	var count int
	err = a.db.QueryRowContext(c.Context(), "SELECT COUNT(*) FROM single_agent_version WHERE agent_id = ? AND connector_id = ?", id, connectorAPI).Scan(&count)
	if err == nil && count == 0 {
		err = businessError{codeNotFound, "agent is not published to the API"}
	}
	return with, err
}

func chatData(of talk, run run, status string) data {
	return data{"id": number(run.id), "conversation_id": number(of.id), "bot_id": number(of.bot.id), "created_at": time.Now().Unix(), "status": status}
}

func (a *app) openEvents(c *call, of talk, run run, query string) {
	out := newEvents(c)
	out.send("conversation.chat.created", chatData(of, run, "created"))
	out.send("conversation.chat.in_progress", chatData(of, run, statusRunning))
	message := func(text string) data {
		return data{"id": number(run.answer), "conversation_id": number(of.id), "bot_id": number(of.bot.id), "chat_id": number(run.id),
			"role": "assistant", "type": "answer", "content": text, "content_type": "text"}
	}
	text, used, err := a.answer(c.Context(), of, run, query, func(text string) { out.send("conversation.message.delta", message(text)) })
	if err != nil {
		logf(levelError, "[OpenapiAgentRun] err=%v", err)
		failed := chatData(of, run, statusFailed)
		failed["last_error"] = data{"code": codeChatFailed, "msg": "internal server error"}
		out.send("conversation.chat.failed", failed)
		return
	}
	out.send("conversation.message.completed", message(text))
	done := chatData(of, run, statusComplete)
	done["usage"] = data{"token_count": used.Total, "output_count": used.Output, "input_count": used.Input}
	out.send("conversation.chat.completed", done)
	_, _ = io.WriteString(c.w, "event:done\ndata:[DONE]\n\n")
}

func (a *app) openRetrieve(c *call) error {
	var status string
	var conversation, agent number
	var numbers []byte
	row := a.db.QueryRowContext(c.Context(), "SELECT conversation_id, agent_id, status, `usage` FROM run_record WHERE id = ?", c.URL.Query().Get("chat_id"))
	if err := row.Scan((*int64)(&conversation), (*int64)(&agent), &status, &numbers); err != nil {
		return err
	}
	answer := data{"id": c.URL.Query().Get("chat_id"), "conversation_id": conversation, "bot_id": agent, "status": status}
	var used usage
	if json.Unmarshal(numbers, &used) == nil {
		answer["usage"] = data{"token_count": used.Total, "output_count": used.Output, "input_count": used.Input}
	}
	return c.ok(data{"data": answer})
}

func (a *app) openMessages(c *call) error {
	id, err := strconv.ParseInt(c.URL.Query().Get("chat_id"), 10, 64)
	if err != nil {
		return httpError{http.StatusBadRequest, "chat_id: " + err.Error()}
	}
	found, err := a.messagesOf(c.Context(), "run_id", id)
	if err != nil {
		return err
	}
	return c.ok(data{"Messages": found})
}
