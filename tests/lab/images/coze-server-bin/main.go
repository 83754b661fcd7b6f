// SPDX-License-Identifier: GPL-3.0-or-later

// A double of the Coze Studio server for the lab: real stores, real clients, the real one's words. See README.md.
package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	writeCrashesTo("crash.log")
	playing := readLine()
	if err := loadEnv(playing); err != nil {
		panic("loadEnv failed, err=" + err.Error())
	}
	setLogLevel(playing, os.Getenv("LOG_LEVEL"))
	server, err := boot(playing)
	if err != nil {
		panic("InitializeInfra failed, err=" + err.Error())
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	server.listen()
	<-stop
	server.close()
}

// writeCrashesTo copies a panic into a file of the working directory; a directory that cannot be written is no fault.
func writeCrashesTo(name string) {
	if file, err := os.Create(name); err == nil {
		_ = debug.SetCrashOutput(file, debug.CrashOptions{})
		_ = file.Close()
	}
}
