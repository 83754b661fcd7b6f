// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const arkURL = "https://ark.cn-beijing.volces.com/api/v3"

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type usage struct {
	Input  int `json:"prompt_tokens"`
	Output int `json:"completion_tokens"`
	Total  int `json:"total_tokens"`
}

// baseURL is the prefix of /chat/completions.
func (m model) baseURL() (string, error) {
	switch {
	case m.Protocol == "openai" || m.Protocol == "qwen" || m.Protocol == "deepseek":
		return strings.TrimRight(m.BaseURL, "/"), nil
	case m.class().protocol == "ark":
		if m.BaseURL == "" {
			return arkURL, nil
		}
		return strings.TrimRight(m.BaseURL, "/"), nil
	}
	return "", fmt.Errorf("protocol %s is not imitated by the double", m.Protocol)
}

// ask sends messages; pieces of a streamed answer go to each as they come.
func (m model) ask(ctx context.Context, messages []chatMessage, each func(string)) (string, usage, error) {
	base, err := m.baseURL()
	if err != nil {
		return "", usage{}, err
	}
	in := data{"model": m.Model, "messages": messages, "stream": each != nil}
	if each != nil {
		in["stream_options"] = data{"include_usage": true}
	}
	response, err := postJSON(ctx, base+"/chat/completions", m.APIKey, in)
	if err != nil {
		return "", usage{}, fmt.Errorf("failed to create chat completion: %w", err)
	}
	defer response.Body.Close()
	if each != nil {
		return readStream(response.Body, each)
	}
	return readCompletion(response.Body)
}

// postJSON sends a body with a bearer key, and takes only a 200.
func postJSON(ctx context.Context, address, key string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		return nil, fmt.Errorf("error, status code: %d, status: %s, message: %s", response.StatusCode, response.Status, text)
	}
	return response, nil
}

type completion struct {
	Choices []struct {
		Message chatMessage `json:"message"`
		Delta   chatMessage `json:"delta"`
	} `json:"choices"`
	Usage usage `json:"usage"`
}

func readCompletion(body io.Reader) (string, usage, error) {
	var answer completion
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return "", usage{}, err
	}
	if len(answer.Choices) == 0 {
		return "", usage{}, fmt.Errorf("received empty choices from the model")
	}
	return answer.Choices[0].Message.Content, answer.Usage, nil
}

func readStream(body io.Reader, each func(string)) (string, usage, error) {
	var whole strings.Builder
	var used usage
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data:")
		if text = strings.TrimSpace(text); !ok || text == "[DONE]" {
			continue
		}
		var piece completion
		if err := json.Unmarshal([]byte(text), &piece); err != nil {
			return whole.String(), used, err
		}
		if piece.Usage.Total > 0 {
			used = piece.Usage
		}
		if len(piece.Choices) > 0 && piece.Choices[0].Delta.Content != "" {
			whole.WriteString(piece.Choices[0].Delta.Content)
			each(piece.Choices[0].Delta.Content)
		}
	}
	return whole.String(), used, lines.Err()
}

var onePlusOne = []chatMessage{{Role: "user", Content: "1+1=?"}}

// askBuiltinModel is line 0.5's search for a model that can rewrite, write SQL and recall: without a configured one each model is asked,
// once for each of the three, and the start waits for the answers.
func (a *app) askBuiltinModel() error {
	if a.line != line05 || os.Getenv("BUILTIN_CM_TYPE") != "" {
		return nil
	}
	list, err := a.models.all(context.Background())
	if err != nil {
		return err
	}
	for range 3 {
		for _, one := range list {
			if _, _, err := one.ask(context.Background(), onePlusOne, nil); err == nil {
				break
			}
		}
	}
	return nil
}
