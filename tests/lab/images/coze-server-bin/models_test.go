// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var known = modelMeta{
	"GPT":  {"default": json.RawMessage(`{}`), "gpt-x": json.RawMessage(`{"display_info": {"name": "GPT X"}, "enable_base64_url": true}`)},
	"SEED": {"default": json.RawMessage(`{}`)},
}

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
	if found, err := modelOfEnvironment(known); err != nil || len(found) != 1 || found[0].ID != 100001 || found[0].Name != "" {
		t.Errorf("the defaults make a nameless model in the newest line: %+v %v", found, err)
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

func TestTheModelOfTheEnvironmentInTheNewestLine(t *testing.T) {
	for _, one := range []struct {
		protocol, id, model, name string
		found                     int
		shown                     string
		base64                    bool
	}{
		{"openai", "7", "gpt-x", "Mine", 1, "GPT X", true}, // a known model has its own name
		{"openai", "7", "other", "Mine", 1, "Mine", false},
		{"openai", "0", "other", "Mine", 1, "Mine", false}, // served, though never stored
		{"openai", "", "other", "Mine", 0, "", false},
		{"", "7", "other", "Mine", 0, "", false},
	} {
		t.Setenv("MODEL_PROTOCOL_0", one.protocol)
		t.Setenv("MODEL_OPENCOZE_ID_0", one.id)
		t.Setenv("MODEL_ID_0", one.model)
		t.Setenv("MODEL_NAME_0", one.name)
		found, err := modelOfEnvironment(known)
		if err != nil || len(found) != one.found || (one.found == 1 && (found[0].Name != one.shown || found[0].Base64URL != one.base64)) {
			t.Errorf("%+v: %+v %v", one, found, err)
		}
	}
	t.Setenv("MODEL_PROTOCOL_0", "openai")
	t.Setenv("MODEL_OPENCOZE_ID_0", "seven")
	if _, err := modelOfEnvironment(known); err == nil {
		t.Error("an id that is no number ends the start")
	}
}

func TestAModelOfAClassWithoutADefaultIsNotKnown(t *testing.T) {
	if _, err := known.find(classOf("claude"), "any"); err == nil {
		t.Error("no error")
	}
}

func TestWhichOfTwoModelsWithOneID(t *testing.T) {
	list := []model{{ID: 1, Name: "a"}, {ID: 2, Name: "b"}, {ID: 1, Name: "c"}}
	for last, name := range map[bool]string{true: "c", false: "a"} {
		if found, ok := pick(list, 1, last); !ok || found.Name != name {
			t.Errorf("last %v: %+v", last, found)
		}
	}
	if _, ok := pick(list, 3, true); ok {
		t.Error("3 is not there")
	}
}

func TestMaskedKeys(t *testing.T) {
	for key, want := range map[string]string{"": "", "abcd": "****", "sk-fake": "sk***ke", "sk-123456": "sk-1***3456"} {
		if got := masked(key); got != want {
			t.Errorf("%s: %s, not %s", key, got, want)
		}
	}
}

func TestAdministrators(t *testing.T) {
	for _, one := range []struct {
		admins, email string
		want          bool
	}{
		{"", "a@b.c", true},
		{"a@b.c", "A@b.c", true},
		{"x@b.c,a@b.c", "a@b.c", true},
		{"x@b.c, a@b.c", "a@b.c", false}, // a blank is part of the address
		{"x@b.c", "a@b.c", false},
	} {
		if got := isAdmin(one.admins, one.email); got != one.want {
			t.Errorf("%q %q: %v", one.admins, one.email, got)
		}
	}
}
