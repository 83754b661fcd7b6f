// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// States of a document.
const (
	documentProcessing = 0
	documentReady      = 1
)

func (a *app) createKnowledge(c *call) error { return a.newKnowledge(c, "") }

// newKnowledge answers the id beside the code, or in a field for the open API.
func (a *app) newKnowledge(c *call, field string) error {
	var in struct {
		made
		Format int `json:"format_type"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	id, err := a.wantID(c, "CreateKnowledge")
	if err != nil {
		return err
	}
	_, err = a.db.ExecContext(c.Context(), "INSERT INTO knowledge (id, name, creator_id, space_id, created_at, updated_at, status, description, icon_uri, format_type) "+
		"VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?)", id, in.Name, c.user.id, in.SpaceID, nowMillis(), nowMillis(), in.Description, in.IconURI, in.Format)
	if err != nil {
		return err
	}
	a.announceResource(c.Context(), id, typeKnowledge, in.Name, int64(in.SpaceID), c.user.id)
	fields := data{"dataset_id": number(id)}
	if field != "" {
		fields = data{field: fields}
	}
	return c.ok(fields)
}

func (a *app) deleteKnowledge(c *call) error {
	var in struct {
		ID number `json:"dataset_id"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if _, err := a.db.ExecContext(c.Context(), "UPDATE knowledge SET deleted_at = NOW(3) WHERE id = ?", in.ID); err != nil {
		return err
	}
	name := collectionName(int64(in.ID))
	if err := a.vectors.DropCollection(c.Context(), name); err != nil {
		logf(levelWarn, "drop collection %s failed, err=%v", name, err)
	}
	if err := a.search.do(c.Context(), http.MethodDelete, "/"+name, nil, nil); err != nil {
		logf(levelWarn, "drop index %s failed, err=%v", name, err)
	}
	a.forget(c.Context(), indexResource, int64(in.ID))
	return c.ok(nil)
}

type chunkStrategy struct {
	Separator string `json:"separator"`
	MaxTokens int    `json:"max_tokens"`
}

// documentEvent asks the consumer to index a document.
type documentEvent struct {
	Document int64         `json:"document_id"`
	Strategy chunkStrategy `json:"chunk_strategy"`
	Content  string        `json:"content"`
}

func (a *app) createDocuments(c *call) error {
	var in struct {
		Knowledge number `json:"dataset_id"`
		Documents []struct {
			Name   string `json:"name"`
			Source struct {
				Kind    int    `json:"document_source"`
				Content string `json:"custom_content"`
			} `json:"source_info"`
		} `json:"document_bases"`
		Strategy chunkStrategy `json:"chunk_strategy"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	infos := []data{}
	for _, one := range in.Documents {
		id, err := a.wantID(c, "CreateDocument")
		if err != nil {
			return err
		}
		_, err = a.db.ExecContext(c.Context(), "INSERT INTO knowledge_document (id, knowledge_id, name, file_extension, size, char_count, creator_id, created_at, updated_at, source_type, status) "+
			"VALUES (?, ?, ?, 'txt', ?, ?, ?, ?, ?, ?, ?)", id, in.Knowledge, one.Name, len(one.Source.Content), len([]rune(one.Source.Content)),
			c.user.id, nowMillis(), nowMillis(), one.Source.Kind, documentProcessing)
		if err != nil {
			return err
		}
		a.bus.publish(topicKnowledge, documentEvent{id, in.Strategy, one.Source.Content})
		infos = append(infos, data{"name": one.Name, "document_id": number(id), "size": len(one.Source.Content), "type": "txt", "status": documentProcessing,
			"format_type": 0, "source_type": one.Source.Kind})
	}
	return c.ok(data{"document_infos": infos})
}

func (a *app) documentProgress(c *call) error {
	var in struct {
		IDs []number `json:"document_ids"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	list := []data{}
	for _, id := range in.IDs {
		var name, reason string
		var status int
		row := a.db.QueryRowContext(c.Context(), "SELECT name, status, COALESCE(fail_reason, '') FROM knowledge_document WHERE id = ?", id)
		if err := row.Scan(&name, &status, &reason); errors.Is(err, sql.ErrNoRows) {
			continue
		} else if err != nil {
			return err
		}
		list = append(list, data{
			"document_id": id, "document_name": name, "progress": map[bool]int{true: 100}[status == documentReady], "status": status,
			"status_descript": reason, "remaining_time": 0, "type": "txt",
		})
	}
	return c.ok(data{"data": list})
}

// chunks cuts a text at its separator, and pieces that are too long by length.
func chunks(text string, strategy chunkStrategy) []string {
	if strategy.Separator == "" {
		strategy.Separator = "\n"
	}
	if strategy.MaxTokens <= 0 {
		strategy.MaxTokens = 800
	}
	var out []string
	for _, piece := range strings.Split(text, strategy.Separator) {
		runes := []rune(strings.TrimSpace(piece))
		for len(runes) > 0 {
			length := min(len(runes), strategy.MaxTokens)
			out = append(out, string(runes[:length]))
			runes = runes[length:]
		}
	}
	return out
}

// handleDocument is the consumer of the knowledge topic: slices into MySQL, vectors into Milvus, texts into Elasticsearch. Any failure puts
// the message back, so the document stays in work for as long as its embedding is missing.
func (a *app) handleDocument(ctx context.Context, body []byte) error {
	var event documentEvent
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	var knowledge, owner int64
	err := a.db.QueryRowContext(ctx, "SELECT knowledge_id, creator_id FROM knowledge_document WHERE id = ?", event.Document).Scan(&knowledge, &owner)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	texts := chunks(event.Content, event.Strategy)
	vectors, err := a.embedder.embed(ctx, texts)
	if err != nil {
		return fmt.Errorf("code=105000004 message=SearchStore operation failed: store search store failed, err: [slices2Columns] embed failed, %w", err)
	}
	ids, err := a.storeSlices(ctx, event.Document, knowledge, owner, texts)
	if err != nil {
		return err
	}
	name := collectionName(knowledge)
	if err := a.storeVectors(ctx, name, event.Document, ids, texts, vectors); err != nil {
		return fmt.Errorf("code=105000004 message=SearchStore operation failed: store search store failed, err: %w", err)
	}
	for i, id := range ids {
		doc := document{"id": id, "document_id": event.Document, "creator_id": owner, "text_content": texts[i]}
		if err := a.search.do(ctx, http.MethodPut, "/"+name+"/_doc/"+strconv.FormatInt(id, 10), doc, nil); err != nil {
			return err
		}
	}
	_, err = a.db.ExecContext(ctx, "UPDATE knowledge_document SET status = ?, slice_count = ?, updated_at = ? WHERE id = ?",
		documentReady, len(ids), nowMillis(), event.Document)
	return err
}

// storeSlices replaces what an earlier attempt left.
func (a *app) storeSlices(ctx context.Context, document, knowledge, owner int64, texts []string) ([]int64, error) {
	if _, err := a.db.ExecContext(ctx, "DELETE FROM knowledge_document_slice WHERE document_id = ?", document); err != nil {
		return nil, err
	}
	ids := make([]int64, len(texts))
	for i, text := range texts {
		id, err := a.newID(ctx)
		if err != nil {
			return nil, err
		}
		_, err = a.db.ExecContext(ctx, "INSERT INTO knowledge_document_slice (id, knowledge_id, document_id, content, sequence, creator_id, status, created_at, updated_at) "+
			"VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)", id, knowledge, document, text, i+1, owner, nowMillis(), nowMillis())
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}
