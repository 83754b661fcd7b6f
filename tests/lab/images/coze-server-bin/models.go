// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// yamlModel is a file of conf/model, the fields that both generations look at.
type yamlModel struct {
	ID      int64  `yaml:"id"`
	Name    string `yaml:"name"`
	IconURI string `yaml:"icon_uri"`
	IconURL string `yaml:"icon_url"`
	Meta    struct {
		Protocol   string          `yaml:"protocol"`
		Capability *capability     `yaml:"capability"`
		Connection *yamlConnection `yaml:"conn_config"`
		Status     int             `yaml:"status"`
	} `yaml:"meta"`
}

type capability struct {
	FunctionCall bool `yaml:"function_call"`
	MaxTokens    int  `yaml:"max_tokens"`
}

type yamlConnection struct {
	BaseURL   string        `yaml:"base_url"`
	APIKey    string        `yaml:"api_key"`
	Model     string        `yaml:"model"`
	Timeout   time.Duration `yaml:"timeout"`
	Base64URL bool          `yaml:"enable_base64_url"`
}

// A model as the server serves it, from whichever source.
type model struct {
	ID         int64
	Name       string
	Protocol   string
	BaseURL    string
	APIKey     string
	Model      string
	iconURI    string
	old        bool
	capability *capability
}

// class of a model: number, name in model_meta.json, words and icon of its provider.
type class struct {
	id       int
	protocol string
	meta     string
	label    string
	iconKey  string
}

var classes = []class{
	{1, "openai", "GPT", "OpenAI", "default_icon/openai_v2.png"},
	{2, "ark", "SEED", "Ark", "default_icon/doubao_v2.png"},
	{3, "claude", "Claude", "Claude", "default_icon/claude_v2.png"},
	{11, "gemini", "Gemini", "Gemini", "default_icon/gemini_v2.png"},
	{15, "qwen", "QWen", "Qwen", "default_icon/qwen_v2.png"},
	{19, "deepseek", "DeekSeek", "DeepSeek", "default_icon/deepseek_v2.png"},
	{20, "ollama", "Llama", "Ollama", "default_icon/ollama.png"},
}

// classOf a protocol; an unknown one silently is ark.
func classOf(protocol string) class {
	for _, one := range classes {
		if one.protocol == protocol {
			return one
		}
	}
	return classes[1]
}

func (m model) class() class { return classOf(m.Protocol) }

func (m model) icon() string {
	if m.iconURI != "" {
		return m.iconURI
	}
	return m.class().iconKey
}

// quota dereferences the capability as the older lines do: a file without one breaks the list, not the start.
func (m model) quota() data {
	if !m.old {
		return data{"token_limit": 0}
	}
	return data{"token_limit": m.capability.MaxTokens}
}

// models are what the files and the environment say, and in line 0.5 the table behind it.
type models struct {
	app    *app
	static []model
	meta   map[string]map[string]json.RawMessage
}

// loadModels reads the sources in the order of file names, the environment last.
func (a *app) loadModels() error {
	a.models = &models{app: a}
	if a.line != line05 {
		return a.loadOldModels()
	}
	if err := a.loadNewModels(); err != nil {
		return fmt.Errorf("init model config failed, err=%w", err)
	}
	return nil
}

func (a *app) loadOldModels() error {
	files, err := readModelFiles(confPath("model"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.IconURI == "" && file.IconURL == "" {
			return fmt.Errorf("missing icon URI or icon URL, id=%d", file.ID)
		}
		a.models.static = append(a.models.static, oldModel(file))
	}
	more, err := modelsOfEnvironment()
	if err != nil {
		return err
	}
	a.models.static = append(a.models.static, more...)
	if len(a.models.static) == 0 {
		logf(levelWarn, "[NewModelMgr] no static models found")
	}
	return nil
}

func (a *app) loadNewModels() error {
	var meta struct {
		Providers map[string]map[string]json.RawMessage `json:"provider2models"`
	}
	text, err := os.ReadFile(confPath("model", "model_meta.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return err
	}
	a.models.meta = meta.Providers
	files, err := readModelFiles(confPath("model"))
	if err != nil {
		return err
	}
	for _, file := range files {
		a.models.static = append(a.models.static, newModel(file))
	}
	if one, ok := modelOfEnvironment(); ok {
		a.models.static = append(a.models.static, one)
	}
	return a.models.sync(context.Background())
}

// readModelFiles reads the YAML files of a directory, not of its folders.
func readModelFiles(directory string) ([]yamlModel, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	var found []yamlModel
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if entry.IsDir() || (extension != ".yaml" && extension != ".yml") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return nil, err
		}
		one, err := parseModel(text)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

// parseModel takes the first document; an empty file is an error, an unknown key is not.
func parseModel(text []byte) (yamlModel, error) {
	var one yamlModel
	err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&one)
	return one, err
}

// newModel wants a connection without asking whether there is one, as the real one does.
func newModel(file yamlModel) model {
	connection := file.Meta.Connection
	return model{
		ID: file.ID, Name: file.Name, Protocol: file.Meta.Protocol,
		BaseURL: connection.BaseURL, APIKey: connection.APIKey, Model: connection.Model,
	}
}

func oldModel(file yamlModel) model {
	if file.Meta.Connection == nil {
		file.Meta.Connection = &yamlConnection{}
	}
	one := newModel(file)
	one.iconURI, one.capability, one.old = file.IconURI, file.Meta.Capability, true
	return one
}

// modelOfEnvironment is MODEL_*_0 in line 0.5: protocol and id are enough, so that the defaults make a nameless model.
func modelOfEnvironment() (model, bool) {
	protocol := os.Getenv("MODEL_PROTOCOL_0")
	id, err := strconv.ParseInt(os.Getenv("MODEL_OPENCOZE_ID_0"), 10, 64)
	if protocol == "" || err != nil || id <= 0 {
		return model{}, false
	}
	return model{
		ID: id, Protocol: protocol, Name: os.Getenv("MODEL_NAME_0"), Model: os.Getenv("MODEL_ID_0"),
		APIKey: os.Getenv("MODEL_API_KEY_0"), BaseURL: os.Getenv("MODEL_BASE_URL_0"),
	}, true
}

// modelsOfEnvironment is MODEL_*_n of the older lines: ark only, and only with name, id, key and the template file.
func modelsOfEnvironment() ([]model, error) {
	var found []model
	for n := 0; ; n++ {
		suffix := "_" + strconv.Itoa(n)
		protocol := os.Getenv("MODEL_PROTOCOL" + suffix)
		name, id, key := os.Getenv("MODEL_NAME"+suffix), os.Getenv("MODEL_ID"+suffix), os.Getenv("MODEL_API_KEY"+suffix)
		if protocol == "" || name == "" || id == "" || key == "" {
			return found, nil
		}
		if protocol != "ark" {
			return nil, fmt.Errorf("unsupported protocol: %s", protocol)
		}
		if _, err := os.Stat(confPath("model", "template", "model_template_ark.yaml")); err != nil {
			return nil, err
		}
		number, err := strconv.ParseInt(os.Getenv("MODEL_OPENCOZE_ID"+suffix), 10, 64)
		if err != nil {
			return nil, err
		}
		found = append(found, model{
			ID: number, Name: name, Protocol: protocol, Model: id, APIKey: key, BaseURL: os.Getenv("MODEL_BASE_URL" + suffix),
			old: true, capability: &capability{},
		})
	}
}

// The JSON columns of model_instance.
type baseConnection struct {
	BaseURL      string `json:"base_url"`
	APIKey       string `json:"api_key"`
	Model        string `json:"model"`
	ThinkingType int    `json:"thinking_type"`
}

type provider struct {
	Name        map[string]string `json:"name"`
	IconURI     string            `json:"icon_uri"`
	IconURL     string            `json:"icon_url,omitempty"`
	Description map[string]string `json:"description"`
	Class       int               `json:"model_class"`
}

type displayInfo struct {
	Name string `json:"name"`
}

type connection struct {
	Base baseConnection `json:"base_conn_info"`
}

func (c class) provider() provider {
	words := map[string]string{"zh_cn": c.label, "en_us": c.label}
	return provider{Name: words, IconURI: c.iconKey, Description: words, Class: c.id}
}

// sync inserts what the table does not have by id. What is there already is left alone for ever.
func (m *models) sync(ctx context.Context) error {
	for _, one := range m.static {
		if one.ID <= 0 {
			continue
		}
		var id int64
		err := m.app.db.QueryRowContext(ctx, "SELECT id FROM model_instance WHERE id = ?", one.ID).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			err = m.insert(ctx, one)
		}
		if err != nil {
			return fmt.Errorf("get model by id failed, err: %w", err)
		}
	}
	_, err := m.onlyTable(ctx)
	return err
}

func (m *models) insert(ctx context.Context, one model) error {
	of := one.class()
	meta, ok := m.meta[of.meta][one.Model]
	if !ok {
		meta, ok = m.meta[of.meta]["default"]
	}
	if !ok {
		return fmt.Errorf("model meta of %s not found", of.meta)
	}
	var parts struct {
		Capability json.RawMessage `json:"capability"`
		Parameters json.RawMessage `json:"parameters"`
	}
	if err := json.Unmarshal(meta, &parts); err != nil {
		return err
	}
	columns := []any{one.ID}
	for _, part := range []any{of.provider(), displayInfo{one.Name}, connection{baseConnection{one.BaseURL, one.APIKey, one.Model, 0}}, parts.Capability, parts.Parameters} {
		text, err := json.Marshal(part)
		if err != nil {
			return err
		}
		columns = append(columns, text)
	}
	columns = append(columns, nowMillis(), nowMillis())
	_, err := m.app.db.ExecContext(ctx, "INSERT INTO model_instance (id, type, provider, display_info, connection, capability, parameters, created_at, updated_at) "+
		"VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)", columns...)
	return err
}

const keyOnlyTable = "do_not_use_old_model_key"

// onlyTable is said by the first model that was made in the administration.
func (m *models) onlyTable(ctx context.Context) (bool, error) {
	value, err := m.app.getSaved(ctx, keyOnlyTable)
	return len(value) > 0, err
}

// all are the models in force. In line 0.5 the sources are served from memory until a model was made in the administration.
func (m *models) all(ctx context.Context) ([]model, error) {
	if m.app.line != line05 {
		return m.static, nil
	}
	only, err := m.onlyTable(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := m.stored(ctx)
	if err != nil || only {
		return stored, err
	}
	list := append([]model(nil), m.static...)
	for _, one := range stored {
		if !has(list, one.ID) {
			list = append(list, one)
		}
	}
	return list, nil
}

func has(list []model, id int64) bool {
	for _, one := range list {
		if one.ID == id {
			return true
		}
	}
	return false
}

func (m *models) stored(ctx context.Context) ([]model, error) {
	rows, err := m.app.db.QueryContext(ctx, "SELECT id, provider, display_info, connection FROM model_instance WHERE type = 0 AND deleted_at IS NULL ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []model{}
	for rows.Next() {
		var id int64
		var providerText, displayText, connectionText []byte
		if err := rows.Scan(&id, &providerText, &displayText, &connectionText); err != nil {
			return nil, err
		}
		var from provider
		var shown displayInfo
		var with connection
		for text, into := range map[*[]byte]any{&providerText: &from, &displayText: &shown, &connectionText: &with} {
			if err := json.Unmarshal(*text, into); err != nil {
				return nil, err
			}
		}
		found = append(found, model{
			ID: id, Name: shown.Name, Protocol: classByID(from.Class).protocol, BaseURL: with.Base.BaseURL, APIKey: with.Base.APIKey, Model: with.Base.Model,
		})
	}
	return found, rows.Err()
}

func classByID(id int) class {
	for _, one := range classes {
		if one.id == id {
			return one
		}
	}
	return classes[1]
}

// byID finds a model; with ids that are there twice the last one is taken.
func (m *models) byID(ctx context.Context, id int64) (model, error) {
	list, err := m.all(ctx)
	if err != nil {
		return model{}, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].ID == id {
			return list[i], nil
		}
	}
	return model{}, fmt.Errorf("model %d not found", id)
}
