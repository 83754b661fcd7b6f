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
	Base64URL  bool
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
	meta   modelMeta
}

// modelMeta is what model_meta.json knows of models, by the name of their class and their own.
type modelMeta map[string]map[string]json.RawMessage

// A known model; of connections only matters whether there is one.
type knownModel struct {
	Display    map[string]any  `json:"display_info"`
	Connection json.RawMessage `json:"connection"`
	Capability json.RawMessage `json:"capability"`
	Parameters json.RawMessage `json:"parameters"`
	Base64URL  bool            `json:"enable_base64_url"`
}

func (m modelMeta) find(of class, name string) (knownModel, error) {
	var found knownModel
	text, ok := m[of.meta][name]
	if !ok {
		text, ok = m[of.meta]["default"]
	}
	if !ok {
		return found, fmt.Errorf("get model meta failed, err: model meta of %s not found", of.meta)
	}
	return found, json.Unmarshal(text, &found)
}

func (k knownModel) name() string {
	name, _ := k.Display["name"].(string)
	return name
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
		Providers modelMeta `json:"provider2models"`
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
	more, err := modelOfEnvironment(meta.Providers)
	if err != nil {
		return err
	}
	a.models.static = append(a.models.static, more...)
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
		BaseURL: connection.BaseURL, APIKey: connection.APIKey, Model: connection.Model, Base64URL: connection.Base64URL,
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

// modelOfEnvironment is MODEL_*_0 in line 0.5: protocol and id are enough, so that the defaults make a nameless model. An id that is no
// number ends the start.
func modelOfEnvironment(meta modelMeta) ([]model, error) {
	protocol, text := os.Getenv("MODEL_PROTOCOL_0"), os.Getenv("MODEL_OPENCOZE_ID_0")
	if protocol == "" || text == "" {
		return nil, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, err
	}
	one := model{
		ID: id, Protocol: protocol, Model: os.Getenv("MODEL_ID_0"), APIKey: os.Getenv("MODEL_API_KEY_0"), BaseURL: os.Getenv("MODEL_BASE_URL_0"),
	}
	known, err := meta.find(one.class(), one.Model)
	if err != nil {
		return nil, err
	}
	one.Name, one.Base64URL = known.name(), known.Base64URL
	if one.Name == "" {
		one.Name = os.Getenv("MODEL_NAME_0")
	}
	return []model{one}, nil
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
	Base   baseConnection `json:"base_conn_info"`
	OpenAI *openaiDetails `json:"openai,omitempty"`
}

type openaiDetails struct {
	ByAzure    bool   `json:"by_azure"`
	APIVersion string `json:"api_version"`
}

// extra is a column of its own. What is taken over from a file never has the switch.
type extra struct {
	Base64URL bool `json:"enable_base64_url"`
}

func (c class) provider() provider {
	words := map[string]string{"zh_cn": c.label, "en_us": c.label}
	return provider{Name: words, IconURI: c.iconKey, Description: words, Class: c.id}
}

// sync inserts what the table does not have by id. What is there already is left alone for ever. A row that was deleted in the
// administration does not count as being there, but still has the id: the start ends.
func (m *models) sync(ctx context.Context) error {
	for _, one := range m.static {
		if one.ID <= 0 {
			logf(levelWarn, "model id is invalid, model: %d", one.ID)
			continue
		}
		var id int64
		err := m.app.db.QueryRowContext(ctx, "SELECT id FROM model_instance WHERE id = ? AND deleted_at IS NULL", one.ID).Scan(&id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			one.Base64URL = false
			if _, err := m.insert(ctx, one, connection{Base: one.connection()}); err != nil {
				return fmt.Errorf("sync old model to db failed, err: %w", err)
			}
		case err != nil:
			return fmt.Errorf("get model by id failed, err: %w", err)
		}
	}
	_, err := m.onlyTable(ctx)
	return err
}

func (m model) connection() baseConnection { return baseConnection{m.BaseURL, m.APIKey, m.Model, 0} }

// insert makes a row. Without an id the table gives it one.
func (m *models) insert(ctx context.Context, one model, with connection) (int64, error) {
	of := one.class()
	known, err := m.meta.find(of, one.Model)
	if err != nil {
		return 0, err
	}
	if len(known.Connection) > 0 && string(known.Connection) != "null" {
		var from connection
		if err := json.Unmarshal(known.Connection, &from); err != nil {
			return 0, err
		}
		with.OpenAI = from.OpenAI
	}
	display := known.Display
	if display == nil {
		display = map[string]any{}
	}
	if one.Name != "" {
		display["name"] = one.Name
	}
	var id any
	if one.ID > 0 {
		id = one.ID
	}
	columns := []any{id}
	for _, part := range []any{of.provider(), display, with, known.Capability, known.Parameters, extra{one.Base64URL}} {
		text, err := json.Marshal(part)
		if err != nil {
			return 0, err
		}
		columns = append(columns, text)
	}
	columns = append(columns, nowMillis(), nowMillis())
	done, err := m.app.db.ExecContext(ctx, "INSERT INTO model_instance (id, type, provider, display_info, connection, capability, parameters, extra, created_at, updated_at) "+
		"VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?)", columns...)
	if err != nil {
		return 0, err
	}
	return done.LastInsertId()
}

const keyOnlyTable = "do_not_use_old_model_key"

// onlyTable is said by the first model that was made in the administration.
func (m *models) onlyTable(ctx context.Context) (bool, error) {
	value, err := m.app.getSaved(ctx, keyOnlyTable)
	return len(value) > 0, err
}

// all are the models in force. In line 0.5 that is the sources as they were read at the start and nothing else, until a model was made in
// the administration; from then on it is the table and nothing else.
func (m *models) all(ctx context.Context) ([]model, error) {
	if m.app.line != line05 {
		return m.static, nil
	}
	only, err := m.onlyTable(ctx)
	if err != nil || !only {
		return m.static, err
	}
	return m.stored(ctx)
}

func (m *models) stored(ctx context.Context) ([]model, error) {
	rows, err := m.app.db.QueryContext(ctx, "SELECT id, provider, display_info, connection, COALESCE(extra, '{}') FROM model_instance WHERE type = 0 AND deleted_at IS NULL ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []model{}
	for rows.Next() {
		var id int64
		var providerText, displayText, connectionText, extraText []byte
		if err := rows.Scan(&id, &providerText, &displayText, &connectionText, &extraText); err != nil {
			return nil, err
		}
		var from provider
		var shown displayInfo
		var with connection
		var more extra
		for text, into := range map[*[]byte]any{&providerText: &from, &displayText: &shown, &connectionText: &with, &extraText: &more} {
			if err := json.Unmarshal(*text, into); err != nil {
				return nil, err
			}
		}
		found = append(found, model{
			ID: id, Name: shown.Name, Protocol: classByID(from.Class).protocol, BaseURL: with.Base.BaseURL, APIKey: with.Base.APIKey, Model: with.Base.Model,
			Base64URL: more.Base64URL,
		})
	}
	return found, rows.Err()
}

// classByID of what is stored is never unknown.
func classByID(id int) class {
	if found, ok := findClass(id); ok {
		return found
	}
	return classes[1]
}

func findClass(id int) (class, bool) {
	for _, one := range classes {
		if one.id == id {
			return one, true
		}
	}
	return class{}, false
}

// byID finds a model. With ids that are there twice the older lines take the last one, line 0.5 the first one.
func (m *models) byID(ctx context.Context, id int64) (model, error) {
	list, err := m.all(ctx)
	if err != nil {
		return model{}, err
	}
	if found, ok := pick(list, id, m.app.line != line05); ok {
		return found, nil
	}
	return model{}, fmt.Errorf("model %d not found", id)
}

func pick(list []model, id int64, last bool) (model, bool) {
	var found model
	var ok bool
	for _, one := range list {
		if one.ID != id {
			continue
		}
		found, ok = one, true
		if !last {
			break
		}
	}
	return found, ok
}
