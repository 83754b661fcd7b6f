// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// embedder turns text into vectors at an OpenAI-compatible endpoint (types openai, ark) or an Ollama.
type embedder struct {
	kind        string
	baseURL     string
	key         string
	model       string
	dims        int
	requestDims int
	batch       int
}

// openEmbedder checks the settings only: an endpoint that is missing or wrong shows when a document is indexed.
func (a *app) openEmbedder() error {
	kind := os.Getenv("EMBEDDING_TYPE")
	if kind == "" && a.line == line05 {
		kind = "ark"
	}
	prefix, known := map[string]string{
		"openai": "OPENAI_EMBEDDING_", "ark": "ARK_EMBEDDING_", "ollama": "OLLAMA_EMBEDDING_", "gemini": "GEMINI_EMBEDDING_", "http": "HTTP_EMBEDDING_",
	}[kind]
	if !known || (kind == "gemini" && a.line == line02) {
		return fmt.Errorf("init knowledge embedding failed, type not configured")
	}
	e := &embedder{
		kind: kind, baseURL: strings.TrimRight(os.Getenv(prefix+"BASE_URL"), "/"), key: os.Getenv(prefix + "API_KEY"), model: os.Getenv(prefix + "MODEL"),
		dims: envInt(prefix+"DIMS", 1024), batch: max(envInt("EMBEDDING_MAX_BATCH_SIZE", 100), 1),
	}
	if kind == "ark" && e.baseURL == "" {
		e.baseURL = arkURL
	}
	if kind == "openai" {
		if err := e.openAIDims(a.line); err != nil {
			return err
		}
	}
	a.embedder = e
	return nil
}

// openAIDims: the older lines insist on numbers and send what REQUEST_DIMS says, v0.5.1 sends DIMS and takes 0 for "do not send".
func (e *embedder) openAIDims(of line) error {
	if of == line05 {
		e.requestDims = e.dims
		return nil
	}
	dims, err := strconv.Atoi(os.Getenv("OPENAI_EMBEDDING_DIMS"))
	if err != nil {
		return fmt.Errorf("init knowledge embedding openai dims failed, err=%w", err)
	}
	if _, err := strconv.ParseBool(os.Getenv("OPENAI_EMBEDDING_BY_AZURE")); err != nil {
		return fmt.Errorf("init knowledge embedding openai by_azure failed, err=%w", err)
	}
	e.dims = dims
	if text := os.Getenv("OPENAI_EMBEDDING_REQUEST_DIMS"); text != "" {
		if e.requestDims, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("init knowledge embedding openai request dims failed, err=%w", err)
		}
	}
	return nil
}

// embed asks for all texts, a batch at a time.
func (e *embedder) embed(ctx context.Context, texts []string) ([][]float32, error) {
	var vectors [][]float32
	for start := 0; start < len(texts); start += e.batch {
		some, err := e.embedBatch(ctx, texts[start:min(start+e.batch, len(texts))])
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, some...)
	}
	if len(vectors) != len(texts) {
		return nil, fmt.Errorf("%d texts, but %d vectors", len(texts), len(vectors))
	}
	if e.dims == 0 {
		e.dims = len(vectors[0])
	}
	return vectors, nil
}

func (e *embedder) embedBatch(ctx context.Context, texts []string) ([][]float32, error) {
	switch e.kind {
	case "openai", "ark":
		return e.embedOpenAI(ctx, texts)
	case "ollama":
		return e.embedOllama(ctx, texts)
	}
	return nil, fmt.Errorf("embedding type %s is not imitated by the double", e.kind)
}

func (e *embedder) embedOpenAI(ctx context.Context, texts []string) ([][]float32, error) {
	in := data{"input": texts, "model": e.model, "encoding_format": "float"}
	if e.requestDims > 0 {
		in["dimensions"] = e.requestDims
	}
	var answer struct {
		Data []struct {
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := e.post(ctx, "/embeddings", in, &answer); err != nil {
		return nil, err
	}
	var vectors [][]float32
	for _, one := range answer.Data {
		vectors = append(vectors, one.Embedding)
	}
	return vectors, nil
}

func (e *embedder) embedOllama(ctx context.Context, texts []string) ([][]float32, error) {
	var answer struct {
		Embeddings [][]float32 `json:"embeddings"`
	}
	err := e.post(ctx, "/api/embed", data{"input": texts, "model": e.model}, &answer)
	return answer.Embeddings, err
}

func (e *embedder) post(ctx context.Context, path string, in, out any) error {
	response, err := postJSON(ctx, e.baseURL+path, e.key, in)
	if err != nil {
		return fmt.Errorf("failed to create embedding: %w", err)
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(out)
}
