// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/nsqio/go-nsq"
)

const (
	topicKnowledge = "opencoze_knowledge"
	topicApp       = "opencoze_search_app"
	topicResource  = "opencoze_search_resource"

	channelKnowledge = "cg_knowledge"
	channelApp       = "cg_search_app"
	channelResource  = "cg_search_resource"
)

// bus is one nsqd: a producer that connects when first used, and a consumer for each topic.
type bus struct {
	address  string
	producer *nsq.Producer
}

// openProducers knows the kinds of queue of a line; only NSQ is played.
func (a *app) openProducers() error {
	kind := os.Getenv("COZE_MQ_TYPE")
	known := map[string]line{"nsq": line02, "kafka": line02, "rmq": line02, "pulsar": line05, "nats": line05}
	since, ok := known[kind]
	if !ok || a.line < since {
		return fmt.Errorf("invalid mq type: %s , only support nsq, kafka, rmq", kind)
	}
	if kind != "nsq" {
		return fmt.Errorf("mq type %s is not imitated by the double", kind)
	}
	address := os.Getenv("MQ_NAME_SERVER")
	if address == "" {
		return fmt.Errorf("name server is empty")
	}
	producer, err := nsq.NewProducer(address, nsq.NewConfig())
	if err != nil {
		return fmt.Errorf("create producer failed, err=%w", err)
	}
	a.bus = &bus{address: address, producer: producer}
	return nil
}

// publish sends; that nsqd is away is logged and nothing else, as callers get code 0.
func (b *bus) publish(topic string, message any) {
	body, err := json.Marshal(message)
	if err == nil {
		err = b.producer.Publish(topic, body)
	}
	if err != nil {
		logf(levelError, "publish to %s failed, err=%v", topic, err)
	}
}

// consume handles a topic; a message whose handler fails is put back by go-nsq's own rules.
func (b *bus) consume(topic, channel string, handle func(context.Context, []byte) error) error {
	consumer, err := nsq.NewConsumer(topic, channel, nsq.NewConfig())
	if err != nil {
		return err
	}
	consumer.AddHandler(nsq.HandlerFunc(func(message *nsq.Message) error {
		err := handle(context.Background(), message.Body)
		if err != nil {
			logf(levelError, "[HandleMessage] topic: %s, attempt: %d, err=%v", topic, message.Attempts, err)
		}
		return err
	}))
	if err := consumer.ConnectToNSQD(b.address); err != nil {
		return fmt.Errorf("connect to nsqd failed, err=%w", err)
	}
	return nil
}

func (a *app) consumeKnowledge() error {
	if err := a.bus.consume(topicKnowledge, channelKnowledge, a.handleDocument); err != nil {
		return fmt.Errorf("register knowledge consumer failed, err=%w", err)
	}
	return nil
}

func (a *app) consumeSearch() error {
	if err := a.bus.consume(topicApp, channelApp, a.handleIndex); err != nil {
		return fmt.Errorf("register search consumer failed, err=%w", err)
	}
	if err := a.bus.consume(topicResource, channelResource, a.handleIndex); err != nil {
		return fmt.Errorf("register search consumer failed, err=%w", err)
	}
	return nil
}
