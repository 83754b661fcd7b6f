// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const whole = `
id: 7
name: Seven
icon_uri: default_icon/openai_v2.png
nobody_knows_this: 1
meta:
  protocol: openai
  capability: {max_tokens: 9}
  conn_config: {base_url: http://h/v1, api_key: k, model: m, timeout: 0s}
`

func TestModelOfAFile(t *testing.T) {
	file, err := parseModel([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	one := oldModel(file)
	if one.ID != 7 || one.BaseURL != "http://h/v1" || one.class().id != 1 || one.quota()["token_limit"] != 9 {
		t.Errorf("%+v", one)
	}
}

func TestBadModelFiles(t *testing.T) {
	for text, words := range map[string]string{
		"":                                       "EOF",
		"id: [":                                  "yaml: line 1",
		"id: x":                                  "cannot unmarshal",
		"id: 1\nid: 2":                           "already defined",
		"meta: {conn_config: {timeout: 5}}":      "time.Duration",
		"meta: {conn_config: {timeout: 5 days}}": "time.Duration",
	} {
		if _, err := parseModel([]byte(text)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFilesAreReadInOrderAndNotInFolders(t *testing.T) {
	directory := t.TempDir()
	for name, text := range map[string]string{"b.yml": "id: 2", "a.yaml": "id: 1", "c.txt": "id: 3", "template/d.yaml": "id: 4"} {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := readModelFiles(directory)
	if err != nil || len(found) != 2 || found[0].ID != 1 || found[1].ID != 2 {
		t.Errorf("%+v %v", found, err)
	}
}

func TestModelsOfTheEnvironment(t *testing.T) {
	for key, value := range map[string]string{"MODEL_PROTOCOL_0": "ark", "MODEL_OPENCOZE_ID_0": "100001", "MODEL_NAME_0": "", "MODEL_ID_0": "", "MODEL_API_KEY_0": ""} {
		t.Setenv(key, value)
	}
	if one, ok := modelOfEnvironment(); !ok || one.ID != 100001 || one.Name != "" {
		t.Errorf("the defaults make a nameless model in the newest line: %+v", one)
	}
	if found, err := modelsOfEnvironment(); err != nil || len(found) != 0 {
		t.Errorf("and none in the older ones: %+v %v", found, err)
	}
}

func TestAModelWithoutAConnectionIsANilPointerInTheNewestLine(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	newModel(yamlModel{ID: 1})
}
