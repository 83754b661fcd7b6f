// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	milvus "github.com/milvus-io/milvus-sdk-go/v2/client"
	"github.com/redis/go-redis/v9"
)

// openDatabase pings once. The DSN, password included, is in the error as in the real one's.
func (a *app) openDatabase() error {
	dsn := os.Getenv("MYSQL_DSN")
	db, err := sql.Open("mysql", dsn)
	if err == nil {
		err = db.Ping()
	}
	if err != nil {
		return fmt.Errorf("mysql open, dsn: %s, err: %w", dsn, err)
	}
	db.SetMaxIdleConns(envInt("MYSQL_MAX_IDLE_CONNS", 10))
	db.SetMaxOpenConns(envInt("MYSQL_MAX_OPEN_CONNS", 100))
	db.SetConnMaxLifetime(time.Duration(envInt("MYSQL_CONN_MAX_LIFETIME", 3600)) * time.Second)
	a.db = db
	return nil
}

// openRedis connects to nothing: the first id does.
func (a *app) openRedis() error {
	a.redis = redis.NewClient(&redis.Options{Addr: os.Getenv("REDIS_ADDR"), Password: os.Getenv("REDIS_PASSWORD")})
	return nil
}

// newID gives an id out of a counter that Redis keeps for each millisecond: seconds, ms, counter, server 0.
func (a *app) newID(ctx context.Context) (int64, error) {
	now := time.Now()
	key := fmt.Sprintf("id_generator:default:0:%d", now.UnixMilli())
	count, err := a.redis.Incr(ctx, key).Result()
	if err != nil {
		return 0, err
	}
	a.redis.Expire(ctx, key, time.Minute)
	millis := int64(now.Nanosecond() / 1e6)
	return now.Unix()<<32 | millis<<22 | (count&0xff)<<14, nil
}

const milvusTimeout = 5 * time.Second

// openVectors dials Milvus and waits for it, no longer than 5 s.
func (a *app) openVectors() error {
	switch kind := os.Getenv("VECTOR_STORE_TYPE"); kind {
	case "milvus":
	case "vikingdb", "oceanbase":
		return fmt.Errorf("vector store type %s is not imitated by the double", kind)
	default:
		return fmt.Errorf("unexpected vector store type, type=%s", kind)
	}
	ctx, cancel := context.WithTimeout(context.Background(), milvusTimeout)
	defer cancel()
	config := milvus.Config{Address: os.Getenv("MILVUS_ADDR")}
	if a.line != line02 {
		config.Username, config.Password, config.APIKey = os.Getenv("MILVUS_USER"), os.Getenv("MILVUS_PASSWORD"), os.Getenv("MILVUS_TOKEN")
	}
	client, err := milvus.NewClient(ctx, config)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("init milvus client failed, err=%w", err)
	}
	a.vectors = client
	return nil
}

// openSearch checks the settings only.
func (a *app) openSearch() error {
	version := os.Getenv("ES_VERSION")
	if version != "v7" && version != "v8" {
		return fmt.Errorf("unsupported es version %s", version)
	}
	var nodes []string
	for _, address := range strings.Split(os.Getenv("ES_ADDR"), ",") {
		if _, err := url.Parse(address); err != nil {
			return err
		}
		if address = strings.TrimRight(strings.TrimSpace(address), "/"); address != "" {
			nodes = append(nodes, address)
		}
	}
	if len(nodes) == 0 {
		return fmt.Errorf("es address is empty")
	}
	a.search = &elastic{nodes: nodes, user: os.Getenv("ES_USERNAME"), password: os.Getenv("ES_PASSWORD")}
	return nil
}

// anys turns a list into arguments of a query.
func anys[T any](values []T) []any {
	out := make([]any, len(values))
	for i, value := range values {
		out[i] = value
	}
	return out
}

func nowMillis() int64 { return time.Now().UnixMilli() }
