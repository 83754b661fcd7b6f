// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/joho/godotenv"
)

// A release line, "0.2", "0.3" or "0.5"; they compare as strings.
type line string

const (
	line02 line = "0.2"
	line03 line = "0.3"
	line05 line = "0.5"
)

// readLine tells which line this image plays: the build writes it into a file beside the binary, as real images differ by content.
func readLine() line {
	text, err := os.ReadFile("LINE")
	if err != nil {
		panic("the image has no LINE file, err=" + err.Error())
	}
	found := line(strings.TrimSpace(string(text)))
	if found != line02 && found != line03 && found != line05 {
		panic(fmt.Sprintf("LINE: unknown release line %q", found))
	}
	return found
}

// mainLine is where the real one of a line logs from; its first lines of log show it.
func (l line) mainLine(newer, older int) string {
	if l == line02 {
		return "main.go:" + strconv.Itoa(older)
	}
	return "main.go:" + strconv.Itoa(newer)
}

// loadEnv reads .env of the working directory. What the environment has wins, even when it is empty.
func loadEnv(playing line) error {
	name := ".env"
	if suffix := os.Getenv("APP_ENV"); suffix != "" {
		name += "." + suffix
	}
	logAt(playing.mainLine(111, 117), levelInfo, "load env file: %s", name)
	if err := godotenv.Load(name); err != nil {
		return fmt.Errorf("load env file(%s) failed, err=%w", name, err)
	}
	return nil
}

func env(key, fallback string) string {
	if value := os.Getenv(key); value != "" {
		return value
	}
	return fallback
}

// envInt is the newer lines' way: what does not parse is the default, silently.
func envInt(key string, fallback int) int {
	if value, err := strconv.Atoi(os.Getenv(key)); err == nil {
		return value
	}
	return fallback
}

func envBool(key string) bool {
	value, _ := strconv.ParseBool(os.Getenv(key))
	return value
}

// confPath is a path below /app/resources/conf.
func confPath(parts ...string) string {
	root, err := os.Getwd()
	if err != nil {
		root = os.Getenv("PWD")
	}
	return filepath.Join(append([]string{root, "resources", "conf"}, parts...)...)
}
