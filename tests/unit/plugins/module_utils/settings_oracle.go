// SPDX-License-Identifier: GPL-3.0-or-later

// Reads what is to be parsed from JSON, and prints what the Go libraries of the server make of it; null where one refuses it.
package main

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"strconv"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/net/http/httpproxy"
)

type questions struct {
	Dsns    []string
	Numbers []string
	Proxies [][3]string // NO_PROXY, host, port
}

type answers struct {
	Dsns    []*[5]string // user, password, net, addr, database
	Ints    []*int64
	Bools   []*bool
	Proxies []bool // whether the host is reached directly
}

func main() {
	var asked questions
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	var found answers
	for _, text := range asked.Dsns {
		var parts *[5]string
		if dsn, err := mysql.ParseDSN(text); err == nil {
			parts = &[5]string{dsn.User, dsn.Passwd, dsn.Net, dsn.Addr, dsn.DBName}
		}
		found.Dsns = append(found.Dsns, parts)
	}
	for _, text := range asked.Numbers {
		var number *int64
		if value, err := strconv.ParseInt(text, 10, 64); err == nil {
			number = &value
		}
		found.Ints = append(found.Ints, number)
		var flag *bool
		if value, err := strconv.ParseBool(text); err == nil {
			flag = &value
		}
		found.Bools = append(found.Bools, flag)
	}
	for _, each := range asked.Proxies {
		config := httpproxy.Config{HTTPProxy: "http://proxy:3128", NoProxy: each[0]}
		proxy, err := config.ProxyFunc()(&url.URL{Scheme: "http", Host: net.JoinHostPort(each[1], each[2])})
		found.Proxies = append(found.Proxies, err == nil && proxy == nil)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}
