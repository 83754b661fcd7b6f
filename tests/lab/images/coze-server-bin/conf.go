// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// checkPrompts wants both prompt files; the first consumer that lacks its file ends the start.
func (a *app) checkPrompts() error {
	for _, file := range []string{"messages_to_query_template_jinja2.json", "nl2sql_template_jinja2.json"} {
		if _, err := os.ReadFile(confPath("prompt", file)); err != nil {
			return fmt.Errorf("init prompt failed, err=%w", err)
		}
	}
	return nil
}

// checkWorkflowConfig is for lines that have the file (since 0.2.6).
func (a *app) checkWorkflowConfig() error {
	path := confPath("workflow", "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var any map[string]any
	return yaml.Unmarshal(text, &any)
}

type pluginProduct struct {
	PluginID int64  `yaml:"plugin_id"`
	DocFile  string `yaml:"openapi_doc_file"`
	Tools    []struct {
		ToolID int64 `yaml:"tool_id"`
	} `yaml:"tools"`
}

// loadPlugins reads the plugin products, and wants their ids unused in the tables of drafts.
func (a *app) loadPlugins() error {
	if _, err := os.ReadFile(confPath("plugin", "common", "oauth_schema.json")); err != nil {
		return fmt.Errorf("read file '%s' failed, err=%w", confPath("plugin", "common", "oauth_schema.json"), err)
	}
	path := confPath("plugin", "pluginproduct", "plugin_meta.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read file '%s' failed, err=%w", path, err)
	}
	var products []pluginProduct
	if err := yaml.Unmarshal(text, &products); err != nil {
		return err
	}
	plugins, tools := []int64{0}, []int64{0}
	for _, product := range products {
		if err := readPlugin(product); err != nil {
			logf(levelError, "load plugin '%d' failed, err=%v", product.PluginID, err)
			continue
		}
		plugins = append(plugins, product.PluginID)
		for _, tool := range product.Tools {
			tools = append(tools, tool.ToolID)
		}
	}
	if err := a.wantUnused("plugin_draft", plugins); err != nil {
		return err
	}
	return a.wantUnused("tool_draft", tools)
}

func readPlugin(product pluginProduct) error {
	text, err := os.ReadFile(confPath("plugin", "pluginproduct", product.DocFile))
	if err != nil {
		return err
	}
	var document map[string]any
	return yaml.Unmarshal(text, &document)
}

func (a *app) wantUnused(table string, ids []int64) error {
	marks := strings.TrimSuffix(strings.Repeat("?,", len(ids)), ",")
	var count int
	if err := a.db.QueryRow("SELECT COUNT(*) FROM "+table+" WHERE id IN ("+marks+")", anys(ids)...).Scan(&count); err != nil {
		return err
	}
	if count > 0 {
		return fmt.Errorf("conflict official ids in table %s", table)
	}
	return nil
}
