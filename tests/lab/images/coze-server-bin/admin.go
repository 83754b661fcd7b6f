// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
)

const (
	savedNamespace = "kv_config_ns"
	keyBasic       = "basic_config"

	codeRunnerLocal   = 0
	codeRunnerSandbox = 1
)

type sandboxConfig struct {
	AllowEnv       string  `json:"allow_env"`
	AllowRead      string  `json:"allow_read"`
	AllowWrite     string  `json:"allow_write"`
	AllowRun       string  `json:"allow_run"`
	AllowNet       string  `json:"allow_net"`
	AllowFFI       string  `json:"allow_ffi"`
	NodeModules    string  `json:"node_modules_dir"`
	TimeoutSeconds float64 `json:"timeout_seconds"`
	MemoryLimitMB  int     `json:"memory_limit_mb"`
}

type pluginConfig struct {
	Enabled bool   `json:"coze_saas_plugin_enabled"`
	Token   string `json:"coze_api_token"`
	BaseURL string `json:"coze_saas_api_base_url"`
}

type basicConfig struct {
	AdminEmails         string         `json:"admin_emails"`
	DisableRegistration bool           `json:"disable_user_registration"`
	AllowEmails         string         `json:"allow_registration_email"`
	Plugin              *pluginConfig  `json:"plugin_configuration"`
	CodeRunnerType      int            `json:"code_runner_type"`
	SandboxConfig       *sandboxConfig `json:"sandbox_config"`
	ServerHost          string         `json:"server_host"`
}

// basicOfEnvironment fills the list of allowed addresses from the wrong variable, as v0.5.1 does.
func basicOfEnvironment() basicConfig {
	config := basicConfig{
		DisableRegistration: os.Getenv("DISABLE_USER_REGISTRATION") == "true",
		AllowEmails:         os.Getenv("DISABLE_USER_REGISTRATION"),
		Plugin: &pluginConfig{
			Enabled: os.Getenv("COZE_SAAS_PLUGIN_ENABLED") == "true", Token: os.Getenv("COZE_SAAS_API_KEY"),
			BaseURL: env("COZE_SAAS_API_BASE_URL", "https://api.coze.cn"),
		},
		CodeRunnerType: codeRunnerLocal,
		SandboxConfig: &sandboxConfig{
			AllowNet: os.Getenv("CODE_RUNNER_ALLOW_NET"), NodeModules: os.Getenv("CODE_RUNNER_NODE_MODULES_DIR"),
			TimeoutSeconds: float64(envInt("CODE_RUNNER_TIMEOUT_SECONDS", 60)), MemoryLimitMB: envInt("CODE_RUNNER_MEMORY_LIMIT_MB", 100),
		},
		ServerHost: env("SERVER_HOST", "http://127.0.0.1:8888"),
	}
	if os.Getenv("CODE_RUNNER_TYPE") == "sandbox" {
		config.CodeRunnerType = codeRunnerSandbox
	}
	return config
}

// basicConfig is the saved one if there ever was one, else the environment's.
func (a *app) basicConfig() basicConfig {
	text, err := a.getSaved(context.Background(), keyBasic)
	if err != nil {
		logf(levelError, "get basic config failed, err=%v", err)
	}
	var config basicConfig
	if len(text) == 0 || json.Unmarshal(text, &config) != nil {
		return basicOfEnvironment()
	}
	return config
}

func (a *app) getSaved(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := a.db.QueryRowContext(ctx, "SELECT value_data FROM kv_entries WHERE namespace = ? AND key_data = ?", savedNamespace, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return value, err
}

func (a *app) save(ctx context.Context, key string, value []byte) error {
	_, err := a.db.ExecContext(ctx, "INSERT INTO kv_entries (namespace, key_data, value_data) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE value_data = ?",
		savedNamespace, key, value, value)
	return err
}

// wantAdmin: everybody is, until addresses are saved.
func (a *app) wantAdmin(c *call) error {
	if isAdmin(a.basicConfig().AdminEmails, c.user.email) {
		return nil
	}
	return httpError{http.StatusUnauthorized, "the account does not have permission to access"}
}

// isAdmin compares without regard to case, but with the blanks that a list may have between its commas.
func isAdmin(admins, email string) bool {
	if admins == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(admins, ","), func(one string) bool { return strings.EqualFold(one, email) })
}

func (a *app) getBasic(c *call) error { return c.ok(data{"configuration": a.basicConfig()}) }

// saveBasic replaces the whole; a sandbox without settings is taken, and the next start dies of it.
func (a *app) saveBasic(c *call) error {
	var in struct {
		Config *basicConfig `json:"configuration"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if in.Config == nil || in.Config.ServerHost == "" {
		return httpError{http.StatusBadRequest, "server host is empty"}
	}
	text, err := json.Marshal(in.Config)
	if err != nil {
		return err
	}
	if err := a.save(c.Context(), keyBasic, text); err != nil {
		return err
	}
	return c.ok(nil)
}

func (a *app) getKnowledgeConfig(c *call) error {
	types := map[string]int{"ark": 0, "openai": 1, "ollama": 2, "gemini": 3, "http": 4}
	return c.ok(data{"knowledge_config": data{
		"embedding_config": data{
			"type": types[a.embedder.kind], "max_batch_size": a.embedder.batch,
			"connection": data{"base_conn_info": data{
				"base_url": a.embedder.baseURL, "api_key": masked(a.embedder.key), "model": a.embedder.model, "thinking_type": 0,
			}, "embedding_info": data{"dims": a.embedder.dims}},
		},
		"rerank_config": data{"type": 1}, "ocr_config": data{"type": 0}, "parser_config": data{"type": 0}, "builtin_model_id": 0,
	}})
}

// masked shows the ends of a key: four characters of a long one, two of one of at most eight, none of at most four.
func masked(key string) string {
	ends := 4
	switch {
	case len(key) <= 4:
		return strings.Repeat("*", len(key))
	case len(key) <= 8:
		ends = 2
	}
	return key[:ends] + "***" + key[len(key)-ends:]
}

// listModels lists the table, whatever is served.
func (a *app) listModels(c *call) error {
	list, err := a.models.stored(c.Context())
	if err != nil {
		return err
	}
	groups := []data{}
	for _, of := range classes {
		shown := of.provider()
		shown.IconURL = a.storage.url(c.Context(), of.iconKey, c.Host)
		var group []data
		for _, one := range list {
			if one.class().id != of.id {
				continue
			}
			base := one.connection()
			base.APIKey = masked(base.APIKey)
			group = append(group, data{
				"id": one.ID, "provider": nil, "display_info": displayInfo{one.Name}, "capability": nil, "parameters": nil, "type": 0, "status": 1,
				"connection": connection{Base: base}, "enable_base64_url": one.Base64URL,
			})
		}
		groups = append(groups, data{"provider": shown, "model_list": group})
	}
	return c.ok(data{"provider_model_list": groups})
}

// createModel asks the model first; from the first success on only the table counts. The table numbers what is made.
func (a *app) createModel(c *call) error {
	var in struct {
		Class      int        `json:"model_class"`
		Name       string     `json:"model_name"`
		Connection connection `json:"connection"`
		Base64URL  bool       `json:"enable_base64_url"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	of, ok := findClass(in.Class)
	if !ok {
		return httpError{http.StatusBadRequest, fmt.Sprintf("create model builder failed: model class %d not supported", in.Class)}
	}
	base := in.Connection.Base
	made := model{Name: in.Name, Protocol: of.protocol, BaseURL: base.BaseURL, APIKey: base.APIKey, Model: base.Model, Base64URL: in.Base64URL}
	if _, _, err := made.ask(c.Context(), onePlusOne, nil); err != nil {
		return httpError{http.StatusBadRequest, "generate model failed: " + err.Error()}
	}
	id, err := a.models.insert(c.Context(), made, in.Connection)
	if err != nil {
		return httpError{http.StatusBadRequest, "create model failed: " + err.Error()}
	}
	if err := a.save(c.Context(), keyOnlyTable, []byte("{}")); err != nil {
		return err
	}
	return c.ok(data{"id": number(id)})
}

// deleteModel says nothing about an unknown id.
func (a *app) deleteModel(c *call) error {
	var in struct {
		ID number `json:"id"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if _, err := a.db.ExecContext(c.Context(), "UPDATE model_instance SET deleted_at = NOW(3) WHERE id = ? AND deleted_at IS NULL", in.ID); err != nil {
		return err
	}
	return c.ok(nil)
}
