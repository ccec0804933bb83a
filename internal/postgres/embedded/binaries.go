package embedded

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/internal/fault"
)

// oldest is the major version whose SQL we write.
const oldest = 15

// Where distributions keep the programs of the server, outside of PATH.
var systemDirs = []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin"}

var versionText = regexp.MustCompile(`\) (\d+)`)

// binaries finds the directory with postgres and initdb that fits the data there
// is, or the first good one when there is none yet.
func binaries(data string) (string, error) {
	written := 0
	if content, err := os.ReadFile(filepath.Join(data, "PG_VERSION")); err == nil {
		written, _ = strconv.Atoi(strings.TrimSpace(string(content)))
	}
	for _, dir := range candidates() {
		version := major(dir)
		if written == 0 && version >= oldest || written != 0 && version == written {
			return dir, nil
		}
	}
	if written != 0 {
		return "", fault.New(fault.Invalid, fmt.Sprintf("The data in %s was written by Postgres %d, which is not installed. Install it (Debian: apt-get install postgresql-%d).", data, written, written))
	}
	return "", fault.New(fault.Invalid, fmt.Sprintf("No Postgres %d or newer was found. Install it (Debian: apt-get install postgresql), or set PLINTH_DATABASE_URL to a database you have.", oldest))
}

// candidates lists directories that hold both programs: those of PATH first, then
// the system's, newest first.
func candidates() []string {
	var dirs []string
	for _, program := range []string{"postgres", "initdb"} {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		// PATH may hold links only; initdb looks for postgres beside its real self.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	var system []string
	for _, pattern := range systemDirs {
		found, _ := filepath.Glob(pattern)
		system = append(system, found...)
	}
	slices.SortStableFunc(system, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	return append(dirs, system...)
}

// major is the version of the programs in a directory, 0 when one is missing.
func major(dir string) int {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return 0
	}
	output, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	found := versionText.FindStringSubmatch(string(output))
	if found == nil {
		return 0
	}
	version, _ := strconv.Atoi(found[1])
	return version
}
