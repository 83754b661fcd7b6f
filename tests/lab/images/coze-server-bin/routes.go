// SPDX-License-Identifier: GPL-3.0-or-later

package main

// What a route asks of its caller.
type guard int

const (
	guardNone guard = iota
	guardSession
	guardAdmin
	guardToken
)

type route struct {
	guard  guard
	handle func(*app, *call) error
	since  line
}

var allRoutes = map[string]route{
	"POST /api/passport/web/email/register/v2/":                     {guard: guardNone, handle: (*app).register},
	"POST /api/passport/web/email/login/":                           {guard: guardNone, handle: (*app).login},
	"GET /api/passport/web/logout/":                                 {guard: guardSession, handle: (*app).logout},
	"GET /api/passport/web/email/password/reset/":                   {guard: guardSession, handle: (*app).resetPassword},
	"POST /api/passport/account/info/v2/":                           {guard: guardSession, handle: (*app).accountInfo},
	"POST /api/web/user/update/upload_avatar/":                      {guard: guardSession, handle: (*app).uploadAvatar},
	"POST /api/playground_api/space/list":                           {guard: guardSession, handle: (*app).listSpaces},
	"POST /api/bot/get_type_list":                                   {guard: guardSession, handle: (*app).listTypes},
	"POST /api/bot/upload_file":                                     {guard: guardSession, handle: (*app).uploadFile},
	"POST /api/developer/get_icon":                                  {guard: guardSession, handle: (*app).listIcons},
	"POST /api/draftbot/create":                                     {guard: guardSession, handle: (*app).createBot},
	"POST /api/draftbot/delete":                                     {guard: guardSession, handle: (*app).deleteBot},
	"POST /api/draftbot/publish":                                    {guard: guardSession, handle: (*app).publishBot},
	"POST /api/plugin_api/library_resource_list":                    {guard: guardSession, handle: (*app).listLibrary},
	"POST /api/plugin_api/register_plugin_meta":                     {guard: guardSession, handle: (*app).createPlugin},
	"POST /api/workflow_api/create":                                 {guard: guardSession, handle: (*app).createWorkflow},
	"POST /api/intelligence_api/draft_project/create":               {guard: guardSession, handle: (*app).createProject},
	"POST /api/intelligence_api/search/get_draft_intelligence_list": {guard: guardSession, handle: (*app).listProjects},
	"POST /api/playground_api/upsert_prompt_resource":               {guard: guardSession, handle: (*app).upsertPrompt},
	"GET /api/playground_api/get_prompt_resource_info":              {guard: guardSession, handle: (*app).getPrompt},
	"POST /api/playground_api/delete_prompt_resource":               {guard: guardSession, handle: (*app).deletePrompt},
	"POST /api/playground_api/draftbot/update_draft_bot_info":       {guard: guardSession, handle: (*app).updateBot},
	"POST /api/knowledge/create":                                    {guard: guardSession, handle: (*app).createKnowledge},
	"POST /api/knowledge/delete":                                    {guard: guardSession, handle: (*app).deleteKnowledge},
	"POST /api/knowledge/document/create":                           {guard: guardSession, handle: (*app).createDocuments},
	"POST /api/knowledge/document/progress/get":                     {guard: guardSession, handle: (*app).documentProgress},
	"POST /api/conversation/get_message_list":                       {guard: guardSession, handle: (*app).listMessages},
	"POST /api/conversation/chat":                                   {guard: guardSession, handle: (*app).chat},

	"POST /api/permission_api/pat/create_personal_access_token_and_permission": {guard: guardSession, handle: (*app).createToken},
	"GET /api/permission_api/pat/list_personal_access_tokens":                  {guard: guardSession, handle: (*app).listTokens},
	"POST /api/permission_api/pat/delete_personal_access_token_and_permission": {guard: guardSession, handle: (*app).deleteToken},

	"POST /v1/files/upload":     {guard: guardToken, handle: (*app).openUpload},
	"POST /v1/datasets":         {guard: guardToken, handle: (*app).openCreateDataset},
	"GET /v1/datasets":          {guard: guardToken, handle: (*app).openListDatasets},
	"POST /v3/chat":             {guard: guardToken, handle: (*app).openChat},
	"GET /v3/chat/retrieve":     {guard: guardToken, handle: (*app).openRetrieve, since: line05},
	"GET /v3/chat/message/list": {guard: guardToken, handle: (*app).openMessages, since: line05},

	"GET /api/admin/config/basic/get":     {guard: guardAdmin, handle: (*app).getBasic, since: line05},
	"POST /api/admin/config/basic/save":   {guard: guardAdmin, handle: (*app).saveBasic, since: line05},
	"GET /api/admin/config/knowledge/get": {guard: guardAdmin, handle: (*app).getKnowledgeConfig, since: line05},
	"GET /api/admin/config/model/list":    {guard: guardAdmin, handle: (*app).listModels, since: line05},
	"POST /api/admin/config/model/create": {guard: guardAdmin, handle: (*app).createModel, since: line05},
	"POST /api/admin/config/model/delete": {guard: guardAdmin, handle: (*app).deleteModel, since: line05},
}

func (a *app) routes() map[string]route { return allRoutes }
