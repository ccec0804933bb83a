package main

import "runtime/debug"

type versionCommand struct{}

func (versionCommand) Run() error {
	return printJSON(map[string]string{"version": version(), "revision": built("vcs.revision"), "go": built("go")})
}

// version is the module's version, or "dev" for a build from a working tree.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func built(key string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if key == "go" {
		return info.GoVersion
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
