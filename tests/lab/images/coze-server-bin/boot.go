// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"

	milvus "github.com/milvus-io/milvus-sdk-go/v2/client"
	"github.com/redis/go-redis/v9"
)

// app is the server with its stores.
type app struct {
	line     line
	storage  *storage
	db       *sql.DB
	redis    *redis.Client
	search   *elastic
	bus      *bus
	vectors  milvus.Client
	models   *models
	embedder *embedder
	web      []*http.Server
}

// A step of the start; the first one that fails ends the process.
type step struct {
	run    func(*app) error
	prefix string
}

// The order of the two generations. Neither asks Redis or Elasticsearch anything.
var (
	stepsNew = []step{
		{(*app).openStorage, "init tos client failed, err="},
		{(*app).openDatabase, "init db failed, err="},
		{(*app).openRedis, ""},
		{(*app).loadModels, ""},
		{(*app).openSearch, "init es client failed, err="},
		{(*app).openProducers, "init resource event bus producer failed, err="},
		{(*app).checkPrompts, ""},
		{(*app).askBuiltinModel, ""},
		{(*app).openEmbedder, "init embedding failed, err="},
		{(*app).openVectors, "init vector store failed, err="},
		{(*app).loadPlugins, "Init - initPrimaryServices failed, err: "},
		{(*app).consumeKnowledge, "Init - initPrimaryServices failed, err: "},
		{(*app).checkWorkflowConfig, "Init - initPrimaryServices failed, err: "},
		{(*app).consumeSearch, "Init - initComplexServices failed, err: "},
	}
	stepsOld = []step{
		{(*app).openDatabase, ""},
		{(*app).openRedis, ""},
		{(*app).openSearch, ""},
		{(*app).openStorage, ""},
		{(*app).openProducers, ""},
		{(*app).loadModels, ""},
		{(*app).loadPlugins, "Init - initPrimaryServices failed, err: "},
		{(*app).openEmbedder, "Init - initPrimaryServices failed, err: "},
		{(*app).openVectors, "Init - initPrimaryServices failed, err: init vector store failed, err="},
		{(*app).checkPrompts, "Init - initPrimaryServices failed, err: "},
		{(*app).consumeKnowledge, "Init - initPrimaryServices failed, err: "},
		{(*app).consumeSearch, "Init - initComplexServices failed, err: "},
	}
)

// boot takes the steps of a line. Nothing is tried twice.
func boot(of line) (*app, error) {
	server := &app{line: of}
	steps := stepsNew
	if of == line02 {
		steps = stepsOld
	}
	for _, step := range steps {
		if err := step.run(server); err != nil {
			return nil, fmt.Errorf("%s%w", step.prefix, err)
		}
	}
	if of == line05 {
		server.newCodeRunner()
	}
	return server, nil
}

// newCodeRunner reads the saved basic configuration as the real one does: a sandbox without settings is a nil pointer.
func (a *app) newCodeRunner() {
	config := a.basicConfig()
	if config.CodeRunnerType == codeRunnerSandbox {
		logf(levelDebug, "sandbox timeout: %v", config.SandboxConfig.TimeoutSeconds)
	}
}

// close ends the process at once, as the real one does on SIGTERM.
func (a *app) close() {
	for _, server := range a.web {
		_ = server.Close()
	}
	logf(levelInfo, "stopped")
	os.Exit(0)
}
