// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"database/sql"
	"encoding/json"
	"errors"
)

const (
	codeNoID      = 110000002
	codeNoModel   = 100000013
	codeNotFound  = 100000005
	projectBot    = 1
	projectApp    = 2
	connectorAPI  = 1024
	connectorCoze = 10000010
)

// wantID is an id for something to be made, or the complaint that Redis did not give one.
func (a *app) wantID(c *call, what string) (int64, error) {
	id, err := a.newID(c.Context())
	if err != nil {
		logf(levelError, "gen id failed, err=%v", err)
		return 0, businessError{codeNoID, "gen id failed : " + what}
	}
	return id, nil
}

// made is what every create call of a resource sends.
type made struct {
	SpaceID     number `json:"space_id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Desc        string `json:"desc"`
	IconURI     string `json:"icon_uri"`
}

func (a *app) listSpaces(c *call) error {
	rows, err := a.db.QueryContext(c.Context(), "SELECT s.id, s.name, s.description, s.icon_uri FROM space s JOIN space_user m ON m.space_id = s.id "+
		"WHERE m.user_id = ? AND s.deleted_at IS NULL ORDER BY s.created_at", c.user.id)
	if err != nil {
		return err
	}
	defer rows.Close()
	spaces := []data{}
	for rows.Next() {
		var id number
		var name, description, icon string
		if err := rows.Scan((*int64)(&id), &name, &description, &icon); err != nil {
			return err
		}
		spaces = append(spaces, data{
			"id": id, "app_ids": nil, "name": name, "description": description, "icon_url": a.storage.url(c.Context(), icon, c.Host),
			"space_type": 1, "connectors": nil, "hide_operation": false, "role_type": 1, "space_mode": 0,
		})
	}
	return c.ok(data{"data": data{
		"bot_space_list": spaces, "has_personal_space": true, "team_space_num": 0, "recently_used_space_list": nil, "total": len(spaces), "has_more": false,
	}})
}

func (a *app) upsertPrompt(c *call) error {
	var in struct {
		Prompt struct {
			made
			ID   number `json:"id"`
			Text string `json:"prompt_text"`
		} `json:"prompt"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	prompt, now := in.Prompt, nowMillis()
	if prompt.ID != 0 {
		_, err := a.db.ExecContext(c.Context(), "UPDATE prompt_resource SET name = ?, description = ?, prompt_text = ?, updated_at = ? WHERE id = ?",
			prompt.Name, prompt.Description, prompt.Text, now, prompt.ID)
		if err != nil {
			return err
		}
	} else {
		id, err := a.wantID(c, "CreatePromptResource")
		if err != nil {
			return err
		}
		prompt.ID = number(id)
		_, err = a.db.ExecContext(c.Context(), "INSERT INTO prompt_resource (id, space_id, name, description, prompt_text, status, creator_id, created_at, updated_at) "+
			"VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?)", id, prompt.SpaceID, prompt.Name, prompt.Description, prompt.Text, c.user.id, now, now)
		if err != nil {
			return err
		}
	}
	a.announceResource(c.Context(), int64(prompt.ID), typePrompt, prompt.Name, int64(prompt.SpaceID), c.user.id)
	return c.ok(data{"data": data{"id": prompt.ID}, "BaseResp": nil})
}

func (a *app) getPrompt(c *call) error {
	var id, space number
	var name, description, text string
	row := a.db.QueryRowContext(c.Context(), "SELECT id, space_id, name, description, COALESCE(prompt_text, '') FROM prompt_resource WHERE id = ?",
		c.URL.Query().Get("prompt_resource_id"))
	err := row.Scan((*int64)(&id), (*int64)(&space), &name, &description, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return businessError{110000003, "prompt resource not found"}
	}
	if err != nil {
		return err
	}
	return c.ok(data{"data": data{"id": id, "space_id": space, "name": name, "description": description, "prompt_text": text}, "BaseResp": nil})
}

func (a *app) deletePrompt(c *call) error {
	var in struct {
		ID number `json:"prompt_resource_id"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if _, err := a.db.ExecContext(c.Context(), "DELETE FROM prompt_resource WHERE id = ?", in.ID); err != nil {
		return err
	}
	a.forget(c.Context(), indexResource, int64(in.ID))
	return c.ok(nil)
}

// createBot needs a model to begin with: the first one.
func (a *app) createBot(c *call) error {
	var in made
	if err := c.bind(&in); err != nil {
		return err
	}
	models, err := a.models.all(c.Context())
	if err != nil {
		return err
	}
	if len(models) == 0 {
		return businessError{codeNoModel, "no available models in use"}
	}
	id, err := a.wantID(c, "CreateSingleAgent")
	if err != nil {
		return err
	}
	info, _ := json.Marshal(data{"model_id": number(models[0].ID)})
	_, err = a.db.ExecContext(c.Context(), "INSERT INTO single_agent_draft (agent_id, creator_id, space_id, name, description, icon_uri, model_info, created_at, updated_at) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", id, c.user.id, in.SpaceID, in.Name, in.Description, in.IconURI, info, nowMillis(), nowMillis())
	if err != nil {
		return err
	}
	a.announceProject(c.Context(), id, projectBot, in.Name, int64(in.SpaceID), c.user.id, 0)
	return c.ok(data{"data": data{"bot_id": number(id), "check_not_pass": false}})
}

// bot is a draft agent, as far as chat needs it.
type bot struct {
	id      int64
	space   int64
	name    string
	creator int64
	model   number
	prompt  string
}

func (a *app) botBy(c *call, id number) (bot, error) {
	found := bot{id: int64(id)}
	var model, prompt []byte
	row := a.db.QueryRowContext(c.Context(), "SELECT space_id, name, creator_id, model_info, prompt FROM single_agent_draft WHERE agent_id = ? AND deleted_at IS NULL", id)
	err := row.Scan(&found.space, &found.name, &found.creator, &model, &prompt)
	if errors.Is(err, sql.ErrNoRows) {
		return found, businessError{codeNotFound, "agent not found"}
	}
	if err != nil {
		return found, err
	}
	var info struct {
		Model  number `json:"model_id"`
		Prompt string `json:"prompt"`
	}
	_ = json.Unmarshal(model, &info)
	_ = json.Unmarshal(prompt, &info)
	found.model, found.prompt = info.Model, info.Prompt
	return found, nil
}

func (a *app) updateBot(c *call) error {
	var in struct {
		Bot struct {
			ID     number          `json:"bot_id"`
			Model  json.RawMessage `json:"model_info"`
			Prompt json.RawMessage `json:"prompt_info"`
		} `json:"bot_info"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if _, err := a.botBy(c, in.Bot.ID); err != nil {
		return err
	}
	_, err := a.db.ExecContext(c.Context(), "UPDATE single_agent_draft SET model_info = COALESCE(?, model_info), prompt = COALESCE(?, prompt), updated_at = ? WHERE agent_id = ?",
		orNull(in.Bot.Model), orNull(in.Bot.Prompt), nowMillis(), in.Bot.ID)
	if err != nil {
		return err
	}
	return c.ok(data{"data": data{"has_change": true, "check_not_pass": false, "branch": 1}})
}

func orNull(text json.RawMessage) any {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	return []byte(text)
}

func (a *app) deleteBot(c *call) error {
	var in struct {
		ID number `json:"bot_id"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if _, err := a.db.ExecContext(c.Context(), "DELETE FROM single_agent_draft WHERE agent_id = ?", in.ID); err != nil {
		return err
	}
	a.forget(c.Context(), indexProject, int64(in.ID))
	return c.ok(data{"data": data{}})
}

// publishBot copies the draft into a version for each connector.
func (a *app) publishBot(c *call) error {
	var in struct {
		ID         number                     `json:"bot_id"`
		Connectors map[string]json.RawMessage `json:"connectors"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	draft, err := a.botBy(c, in.ID)
	if err != nil {
		return err
	}
	version, err := a.wantID(c, "PublishAgent")
	if err != nil {
		return err
	}
	results, now := data{}, nowMillis()
	for connector := range in.Connectors {
		_, err := a.db.ExecContext(c.Context(), "INSERT INTO single_agent_version (agent_id, creator_id, space_id, name, description, icon_uri, created_at, updated_at, "+
			"model_info, prompt, connector_id, version) SELECT agent_id, creator_id, space_id, name, description, icon_uri, ?, ?, model_info, prompt, ?, ? "+
			"FROM single_agent_draft WHERE agent_id = ?", now, now, connector, version, in.ID)
		if err != nil {
			return err
		}
		results[connector] = data{"connector": data{"id": connector, "name": "API"}, "code": 0, "msg": "", "publish_result_status": 1}
	}
	_, err = a.db.ExecContext(c.Context(), "INSERT INTO single_agent_publish (agent_id, publish_id, version, publish_time, created_at, updated_at, creator_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
		in.ID, version, version, now, now, now, c.user.id)
	if err != nil {
		return err
	}
	a.announceProject(c.Context(), draft.id, projectBot, draft.name, draft.space, draft.creator, 1)
	return c.ok(data{"data": data{"check_not_pass": false, "hit_manual_check": false, "publish_result": results}})
}

func (a *app) createWorkflow(c *call) error {
	var in made
	if err := c.bind(&in); err != nil {
		return err
	}
	id, err := a.wantID(c, "CreateWorkflow")
	if err != nil {
		return err
	}
	now := nowMillis()
	err = a.inTransaction(c.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(c.Context(), "INSERT INTO workflow_meta (id, name, description, icon_uri, status, content_type, mode, created_at, creator_id, author_id, space_id) "+
			"VALUES (?, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?)", id, in.Name, in.Desc, in.IconURI, now, c.user.id, c.user.id, in.SpaceID)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(c.Context(), "INSERT INTO workflow_draft (id, canvas, updated_at, commit_id) VALUES (?, '{}', ?, ?)", id, now, id)
		return err
	})
	if err != nil {
		return err
	}
	a.announceResource(c.Context(), id, typeWorkflow, in.Name, int64(in.SpaceID), c.user.id)
	return c.ok(data{"data": data{"workflow_id": number(id), "name": in.Name, "status": 1, "type": 0}})
}

func (a *app) createPlugin(c *call) error {
	var in struct {
		made
		URL string `json:"url"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	id, err := a.wantID(c, "CreatePlugin")
	if err != nil {
		return err
	}
	manifest, _ := json.Marshal(data{"name_for_human": in.Name, "description_for_human": in.Desc})
	_, err = a.db.ExecContext(c.Context(), "INSERT INTO plugin_draft (id, space_id, developer_id, server_url, plugin_type, created_at, updated_at, manifest) VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
		id, in.SpaceID, c.user.id, in.URL, nowMillis(), nowMillis(), manifest)
	if err != nil {
		return err
	}
	a.announceResource(c.Context(), id, typePlugin, in.Name, int64(in.SpaceID), c.user.id)
	return c.ok(data{"plugin_id": number(id)})
}

func (a *app) createProject(c *call) error {
	var in made
	if err := c.bind(&in); err != nil {
		return err
	}
	id, err := a.wantID(c, "CreateDraftProject")
	if err != nil {
		return err
	}
	_, err = a.db.ExecContext(c.Context(), "INSERT INTO app_draft (id, space_id, owner_id, icon_uri, name, description, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		id, in.SpaceID, c.user.id, in.IconURI, in.Name, in.Description, nowMillis(), nowMillis())
	if err != nil {
		return err
	}
	a.announceProject(c.Context(), id, projectApp, in.Name, int64(in.SpaceID), c.user.id, 0)
	return c.ok(data{"data": data{"project_id": number(id), "audit_data": data{"check_not_pass": false}}})
}

// listLibrary asks Elasticsearch; that it is away is an internal error.
func (a *app) listLibrary(c *call) error {
	var in struct {
		SpaceID number `json:"space_id"`
		Size    int    `json:"size"`
		Name    string `json:"name"`
		Types   []int  `json:"res_type_filter"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	types := in.Types
	if len(types) > 0 {
		types = types[:1] // the second number is the sub type
	}
	found, err := a.find(c.Context(), listQuery{indexResource, int64(in.SpaceID), "res_type", types, in.Name, in.Size})
	if err != nil {
		return err
	}
	list := make([]data, 0, len(found))
	for _, one := range found {
		list = append(list, data{
			"res_id": one.ResID, "res_type": one.ResType, "res_sub_type": 0, "name": one.Name, "desc": "", "icon": "", "creator_id": one.OwnerID,
			"creator_name": c.user.name, "user_name": c.user.uniqueName, "publish_status": 1, "edit_time": one.UpdateTime / 1000, "space_id": one.SpaceID,
		})
	}
	return c.ok(data{"resource_list": list, "cursor": "", "has_more": false})
}

func (a *app) listProjects(c *call) error {
	var in struct {
		SpaceID number `json:"space_id"`
		Types   []int  `json:"types"`
		Size    int    `json:"size"`
		Name    string `json:"name"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	found, err := a.find(c.Context(), listQuery{indexProject, int64(in.SpaceID), "type", in.Types, in.Name, in.Size})
	if err != nil {
		return err
	}
	list := make([]data, 0, len(found))
	for _, one := range found {
		list = append(list, data{
			"basic_info": data{
				"id": one.ID, "name": one.Name, "description": "", "icon_uri": "", "space_id": one.SpaceID, "owner_id": one.OwnerID, "status": one.Status,
				"create_time": number(one.CreateTime / 1000), "update_time": number(one.UpdateTime / 1000),
			},
			"type": one.Type, "publish_info": data{"has_published": one.Published == 1},
		})
	}
	return c.ok(data{"data": data{"intelligences": list, "total": len(list), "has_more": false, "next_cursor_id": ""}})
}

// listTypes lists the models. A YAML model without a capability is a nil pointer up to line 0.3.
func (a *app) listTypes(c *call) error {
	var in struct {
		Model bool `json:"model"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	list := []data{}
	if in.Model {
		models, err := a.models.all(c.Context())
		if err != nil {
			return err
		}
		for _, one := range models {
			list = append(list, data{
				"name": one.Name, "model_type": one.ID, "model_class": one.class().id, "model_name": one.Model, "endpoint_name": one.Model,
				"model_icon": a.storage.url(c.Context(), one.icon(), c.Host), "model_quota": one.quota(), "model_desc": []any{}, "model_params": []any{},
			})
		}
	}
	return c.ok(data{"data": data{"model_list": list, "voice_list": []any{}, "raw_model_list": list, "model_show_family_list": []any{}, "default_model_id": "0"}})
}

func (a *app) openCreateDataset(c *call) error { return a.newKnowledge(c, "data") }

func (a *app) openListDatasets(c *call) error {
	rows, err := a.db.QueryContext(c.Context(), "SELECT id, name, status FROM knowledge WHERE space_id = ? AND deleted_at IS NULL ORDER BY updated_at DESC LIMIT 100",
		c.URL.Query().Get("space_id"))
	if err != nil {
		return err
	}
	defer rows.Close()
	list := []data{}
	for rows.Next() {
		var id number
		var name string
		var status int
		if err := rows.Scan((*int64)(&id), &name, &status); err != nil {
			return err
		}
		list = append(list, data{"dataset_id": id, "name": name, "status": status})
	}
	return c.ok(data{"data": data{"dataset_list": list, "total_count": len(list)}})
}
