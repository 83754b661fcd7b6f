// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	indexResource = "coze_resource"
	indexProject  = "project_draft"
)

// Kinds of what the library lists.
const (
	typePlugin    = 1
	typeWorkflow  = 2
	typeKnowledge = 4
	typePrompt    = 6
)

// elastic is a small Elasticsearch client: the first node that answers, basic auth, and the check that it is a genuine Elasticsearch.
type elastic struct {
	nodes    []string
	user     string
	password string
}

var searchHTTP = &http.Client{Timeout: 30 * time.Second}

func (e *elastic) do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	var last error
	for _, node := range e.nodes {
		request, err := http.NewRequestWithContext(ctx, method, node+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		if e.user != "" {
			request.SetBasicAuth(e.user, e.password)
		}
		response, err := searchHTTP.Do(request)
		if err != nil {
			last = err
			continue
		}
		return readElastic(response, out)
	}
	return last
}

func readElastic(response *http.Response, out any) error {
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("elasticsearch: status: %d, body: %s", response.StatusCode, text)
	}
	if response.Header.Get("X-Elastic-Product") != "Elasticsearch" {
		return fmt.Errorf("the client noticed that the server is not Elasticsearch and we do not support this unknown product")
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// A document is what the indices hold, by the names of their mappings.
type document map[string]any

// An indexEvent says what happened to a document; it goes through NSQ, or at once into Elasticsearch. The document stays text on its way,
// as ids are too long for JSON's numbers.
type indexEvent struct {
	Index    string          `json:"index"`
	ID       int64           `json:"id"`
	Deleted  bool            `json:"deleted,omitempty"`
	Document json.RawMessage `json:"document,omitempty"`
}

func (d document) text() json.RawMessage {
	text, _ := json.Marshal(d)
	return text
}

func (a *app) apply(ctx context.Context, event indexEvent) error {
	path := "/" + event.Index + "/_doc/" + strconv.FormatInt(event.ID, 10)
	if event.Deleted {
		return a.search.do(ctx, http.MethodDelete, path, nil, nil)
	}
	return a.search.do(ctx, http.MethodPut, path, event.Document, nil)
}

// handleIndex is the consumer of both search topics.
func (a *app) handleIndex(ctx context.Context, body []byte) error {
	var event indexEvent
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	return a.apply(ctx, event)
}

// announce makes a change findable: lines 0.2 and 0.3 by NSQ, 0.5 at once with NSQ as the way out.
func (a *app) announce(ctx context.Context, event indexEvent) {
	if a.line == line05 {
		err := a.apply(ctx, event)
		if err == nil {
			return
		}
		logf(levelError, "index %s %d failed, sent to the queue, err=%v", event.Index, event.ID, err)
	}
	topic := topicResource
	if event.Index == indexProject {
		topic = topicApp
	}
	a.bus.publish(topic, event)
}

func (a *app) announceResource(ctx context.Context, id int64, kind int, name string, space int64, owner int64) {
	now := nowMillis()
	a.announce(ctx, indexEvent{Index: indexResource, ID: id, Document: document{
		"res_id": id, "res_type": kind, "res_sub_type": 0, "name": name, "owner_id": owner, "space_id": space,
		"biz_status": 1, "publish_status": 1, "create_time": now, "update_time": now, "publish_time": now,
	}.text()})
}

func (a *app) announceProject(ctx context.Context, id int64, kind int, name string, space, owner int64, published int) {
	now := nowMillis()
	a.announce(ctx, indexEvent{Index: indexProject, ID: id, Document: document{
		"id": id, "type": kind, "status": 1, "name": name, "owner_id": owner, "space_id": space, "has_published": published,
		"create_time": now, "update_time": now, "publish_time": 0, "is_fav": 0, "is_recently_open": 0,
	}.text()})
}

func (a *app) forget(ctx context.Context, index string, id int64) {
	a.announce(ctx, indexEvent{Index: index, ID: id, Deleted: true})
}

// hit is what both lists read of a found document.
type hit struct {
	ResID      number `json:"res_id"`
	ResType    int    `json:"res_type"`
	ID         number `json:"id"`
	Type       int    `json:"type"`
	Status     int    `json:"status"`
	Name       string `json:"name"`
	OwnerID    number `json:"owner_id"`
	SpaceID    number `json:"space_id"`
	CreateTime int64  `json:"create_time"`
	UpdateTime int64  `json:"update_time"`
	Published  int    `json:"has_published"`
}

// A listQuery is what the two lists ask for. The name is looked for in name.raw, which only an index with its template has.
type listQuery struct {
	index     string
	space     int64
	typeField string
	types     []int
	name      string
	size      int
}

func (a *app) find(ctx context.Context, query listQuery) ([]hit, error) {
	must := []any{map[string]any{"term": map[string]any{"space_id": strconv.FormatInt(query.space, 10)}}}
	if len(query.types) > 0 {
		must = append(must, map[string]any{"terms": map[string]any{query.typeField: query.types}})
	}
	if query.name != "" {
		wanted := map[string]any{"value": "*" + query.name + "*", "case_insensitive": true}
		must = append(must, map[string]any{"wildcard": map[string]any{"name.raw": wanted}})
	}
	if query.size <= 0 {
		query.size = 10
	}
	var answer struct {
		Hits struct {
			Hits []struct {
				Source hit `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	in := map[string]any{
		"query": map[string]any{"bool": map[string]any{"must": must}},
		"sort":  []any{map[string]any{"update_time": "desc"}},
		"size":  query.size,
	}
	if err := a.search.do(ctx, http.MethodPost, "/"+query.index+"/_search", in, &answer); err != nil {
		return nil, err
	}
	found := make([]hit, 0, len(answer.Hits.Hits))
	for _, one := range answer.Hits.Hits {
		found = append(found, one.Source)
	}
	return found, nil
}
