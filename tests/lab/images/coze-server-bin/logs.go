// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

type level int

const (
	levelTrace level = iota
	levelDebug
	levelInfo
	levelNotice
	levelWarn
	levelError
	levelFatal
)

var (
	levelNames = map[string]level{
		"trace": levelTrace, "debug": levelDebug, "info": levelInfo, "notice": levelNotice,
		"warn": levelWarn, "error": levelError, "fatal": levelFatal,
	}
	labels    = []string{"[Trace] ", "[Debug] ", "[Info] ", "[Notice] ", "[Warn] ", "[Error] ", "[Fatal] "}
	threshold = levelInfo
	logger    = log.New(io.Writer(os.Stderr), "", log.LstdFlags|log.Lmicroseconds)
)

// setLogLevel takes a word of LOG_LEVEL; an unknown one is info.
func setLogLevel(playing line, word string) {
	word = strings.ToLower(word)
	logAt(playing.mainLine(132, 138), levelInfo, "log level: %s", word)
	if found, ok := levelNames[word]; ok {
		threshold = found
	}
}

// logAt logs under a place in the real one's source.
func logAt(place string, at level, format string, args ...any) {
	if at >= threshold {
		logger.Print(place + ": " + labels[at] + fmt.Sprintf(format, args...))
	}
}

// logf logs under the caller's place.
func logf(at level, format string, args ...any) {
	_, file, number, _ := runtime.Caller(1)
	logAt(fmt.Sprintf("%s:%d", filepath.Base(file), number), at, format, args...)
}
