package kind

import (
	"embed"
	"fmt"
	"slices"
)

//go:embed builtin/*.json
var builtin embed.FS

// Builtin are the kinds of a deployment that has set up none of its own.
func Builtin() []*Definition {
	entries, err := builtin.ReadDir("builtin")
	if err != nil {
		panic(err) // compiled in
	}
	var all []*Definition
	for _, e := range entries {
		raw, err := builtin.ReadFile("builtin/" + e.Name())
		if err != nil {
			panic(err)
		}
		k, err := Parse(raw)
		if err != nil {
			panic(fmt.Sprintf("%s: %v", e.Name(), err)) // compiled in, and tested
		}
		all = append(all, k)
	}
	return slices.Clip(all)
}

// BuiltinDocument is the document of a built-in kind, to begin one's own with; nil:
// there is none of that name.
func BuiltinDocument(name string) []byte {
	raw, err := builtin.ReadFile("builtin/" + name + ".json")
	if err != nil {
		return nil
	}
	return raw
}
