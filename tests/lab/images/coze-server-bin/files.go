// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// Folders of uploads by their kind.
var uploadFolders = map[int]string{
	1: "BIZ_BOT_ICON", 2: "BIZ_BOT_DATASET", 3: "BIZ_DATASET_ICON", 4: "BIZ_PLUGIN_ICON", 5: "BIZ_BOT_SPACE",
	6: "BIZ_BOT_WORKFLOW", 7: "BIZ_SOCIETY_ICON", 8: "BIZ_CONNECTOR_ICON",
}

// Default icons by their kind.
var defaultIcons = map[int][]string{
	1: {"default_icon/default_agent_icon.png"},
	2: {iconUser},
	3: {"default_icon/plugin_default_icon.png"},
	4: {"default_icon/default_dataset_icon.png"},
	5: {"default_icon/default_workflow_icon.png"},
	6: {"default_icon/default_database_icon.png"},
}

func randomText(length int) string {
	raw := make([]byte, (length+1)/2)
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)[:length]
}

func uploadKey(folder string, owner int64, extension string) string {
	return fmt.Sprintf("%s/%d_%d_%s.%s", folder, owner, time.Now().UnixNano(), randomText(10), extension)
}

func (a *app) uploadFile(c *call) error {
	var in struct {
		Head struct {
			Type string `json:"file_type"`
			Kind int    `json:"biz_type"`
		} `json:"file_head"`
		Data string `json:"data"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	content, err := base64.StdEncoding.DecodeString(in.Data)
	if err != nil {
		return httpError{http.StatusBadRequest, "data is not base64"}
	}
	folder, ok := uploadFolders[in.Head.Kind]
	if !ok {
		folder = "BIZ_UNKNOWN"
	}
	key := uploadKey(folder, c.user.id, in.Head.Type)
	if err := a.storage.put(c.Context(), key, content); err != nil {
		return err
	}
	return c.ok(data{"data": data{"upload_url": a.storage.url(c.Context(), key, c.Host), "upload_uri": key}})
}

func (a *app) listIcons(c *call) error {
	var in struct {
		Kind int `json:"icon_type"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	icons := []data{}
	for _, key := range defaultIcons[in.Kind] {
		icons = append(icons, data{"url": a.storage.url(c.Context(), key, c.Host), "uri": key})
	}
	return c.ok(data{"data": data{"icon_list": icons}})
}

// formFile reads one file of a multipart body.
func formFile(c *call, field string) (name string, content []byte, err error) {
	file, header, err := c.FormFile(field)
	if err != nil {
		return "", nil, httpError{http.StatusBadRequest, err.Error()}
	}
	defer file.Close()
	content, err = io.ReadAll(file)
	return header.Filename, content, err
}

func (a *app) uploadAvatar(c *call) error {
	name, content, err := formFile(c, "avatar")
	if err != nil {
		return err
	}
	key := fmt.Sprintf("user_avatar/%d%s", c.user.id, path.Ext(name))
	if err := a.storage.put(c.Context(), key, content); err != nil {
		return err
	}
	if _, err := a.db.ExecContext(c.Context(), "UPDATE `user` SET icon_uri = ? WHERE id = ?", key, c.user.id); err != nil {
		return err
	}
	return c.ok(data{"data": data{"web_uri": a.storage.url(c.Context(), key, c.Host)}})
}

func (a *app) openUpload(c *call) error {
	name, content, err := formFile(c, "file")
	if err != nil {
		return err
	}
	key := uploadKey("BIZ_BOT_DATASET", c.user.id, strings.TrimPrefix(path.Ext(name), "."))
	if err := a.storage.put(c.Context(), key, content); err != nil {
		return err
	}
	return c.ok(data{"data": data{
		"uri": key, "url": a.storage.url(c.Context(), key, c.Host), "bytes": len(content), "file_name": name, "created_at": time.Now().Unix(),
	}})
}
