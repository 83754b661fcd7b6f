// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"strconv"

	"github.com/milvus-io/milvus-sdk-go/v2/entity"
)

const (
	fieldID       = "id"
	fieldDocument = "document_id"
	fieldText     = "text_content"
	fieldDense    = "dense_text_content"

	hnswM              = 30
	hnswEfConstruction = 360
	maxTextLength      = 65535
)

// collectionName is also the name of the knowledge's search index.
func collectionName(knowledge int64) string { return "opencoze_" + strconv.FormatInt(knowledge, 10) }

// wantCollection makes and loads the collection of a knowledge. Its dimension is fixed from then on.
func (a *app) wantCollection(ctx context.Context, name string) error {
	exists, err := a.vectors.HasCollection(ctx, name)
	if err != nil || exists {
		return err
	}
	schema := entity.NewSchema().WithName(name).WithAutoID(false).
		WithField(entity.NewField().WithName(fieldID).WithDataType(entity.FieldTypeInt64).WithIsPrimaryKey(true)).
		WithField(entity.NewField().WithName(fieldDocument).WithDataType(entity.FieldTypeInt64)).
		WithField(entity.NewField().WithName(fieldText).WithDataType(entity.FieldTypeVarChar).WithMaxLength(maxTextLength)).
		WithField(entity.NewField().WithName(fieldDense).WithDataType(entity.FieldTypeFloatVector).WithDim(int64(a.embedder.dims)))
	if err := a.vectors.CreateCollection(ctx, schema, 1); err != nil {
		return err
	}
	index, err := entity.NewIndexHNSW(entity.IP, hnswM, hnswEfConstruction)
	if err != nil {
		return err
	}
	if err := a.vectors.CreateIndex(ctx, name, fieldDense, index, false); err != nil {
		return err
	}
	return a.vectors.LoadCollection(ctx, name, false)
}

// storeVectors puts the slices of a document into a partition of their own.
func (a *app) storeVectors(ctx context.Context, name string, document int64, ids []int64, texts []string, vectors [][]float32) error {
	if err := a.wantCollection(ctx, name); err != nil {
		return err
	}
	partition := strconv.FormatInt(document, 10)
	exists, err := a.vectors.HasPartition(ctx, name, partition)
	if err != nil {
		return err
	}
	if !exists {
		if err := a.vectors.CreatePartition(ctx, name, partition); err != nil {
			return err
		}
	}
	documents := make([]int64, len(ids))
	for i := range documents {
		documents[i] = document
	}
	_, err = a.vectors.Upsert(ctx, name, partition,
		entity.NewColumnInt64(fieldID, ids), entity.NewColumnInt64(fieldDocument, documents),
		entity.NewColumnVarChar(fieldText, texts), entity.NewColumnFloatVector(fieldDense, a.embedder.dims, vectors))
	return err
}
