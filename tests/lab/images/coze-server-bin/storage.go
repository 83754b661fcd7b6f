// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	bucketRegion = "cn-north-1"
	urlLife      = 7 * 24 * time.Hour
)

// storage is the bucket of the server; proxyPort is that of the browser's way to it in line 0.2.
type storage struct {
	client    *minio.Client
	bucket    string
	proxyPort string
}

// openStorage checks the bucket, and makes it if it is missing.
func (a *app) openStorage() error {
	switch kind := os.Getenv("STORAGE_TYPE"); kind {
	case "minio":
	case "tos", "s3":
		return fmt.Errorf("storage type %s is not imitated by the double", kind)
	default:
		return fmt.Errorf("unknown storage type: %s", kind)
	}
	client, err := minio.New(os.Getenv("MINIO_ENDPOINT"), &minio.Options{
		Creds:      credentials.NewStaticV4(os.Getenv("MINIO_AK"), os.Getenv("MINIO_SK"), ""),
		Secure:     a.line == line05 && envBool("MINIO_USE_SSL"),
		MaxRetries: 1,
	})
	if err != nil {
		return fmt.Errorf("init minio client failed %w", err)
	}
	a.storage = &storage{client: client, bucket: os.Getenv("STORAGE_BUCKET")}
	if a.line == line02 {
		_, a.storage.proxyPort, _ = net.SplitHostPort(os.Getenv("MINIO_PROXY_ENDPOINT"))
	}
	if err := a.storage.wantBucket(); err != nil {
		return fmt.Errorf("init minio client failed %w", err)
	}
	return nil
}

func (s *storage) wantBucket() error {
	ctx := context.Background()
	exists, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("check bucket %s exist failed %w", s.bucket, err)
	}
	if exists {
		return nil
	}
	if err := s.client.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: bucketRegion}); err != nil {
		return fmt.Errorf("create bucket %s failed %w", s.bucket, err)
	}
	return nil
}

func (s *storage) put(ctx context.Context, key string, content []byte) error {
	_, err := s.client.PutObject(ctx, s.bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	return err
}

// url presigns a GET. It names the endpoint that the server itself uses, or the proxy's port on the host that the browser called.
func (s *storage) url(ctx context.Context, key, host string) string {
	if key == "" {
		return ""
	}
	signed, err := s.client.PresignedGetObject(ctx, s.bucket, key, urlLife, nil)
	if err != nil {
		logf(levelError, "presign %s failed, err=%v", key, err)
		return ""
	}
	if s.proxyPort != "" {
		signed.Scheme, signed.Host = "http", net.JoinHostPort(hostName(host), s.proxyPort)
	}
	return signed.String()
}

// hostName is a Host header without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// minioProxy is the browser's way to MinIO in line 0.2. The Host it sends is MinIO's, which is what was signed.
func minioProxy() (http.Handler, error) {
	target, err := url.Parse(env("MINIO_API_HOST", "http://"+os.Getenv("MINIO_ENDPOINT")))
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(target)
		request.Out.Host = target.Host
	}}, nil
}
