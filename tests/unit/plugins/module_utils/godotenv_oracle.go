// SPDX-License-Identifier: GPL-3.0-or-later

// Reads a JSON list of texts, and prints what godotenv and compose-go make of each; null where one refuses it.
package main

import (
	"encoding/json"
	"os"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/joho/godotenv"
)

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		panic(err)
	}
	out := [][2]map[string]string{}
	for _, text := range texts {
		var pair [2]map[string]string
		if env, err := godotenv.Unmarshal(text); err == nil {
			pair[0] = env
		}
		if env, err := compose.UnmarshalWithLookup(text, nil); err == nil {
			pair[1] = env
		}
		out = append(out, pair)
	}
	json.NewEncoder(os.Stdout).Encode(out)
}
