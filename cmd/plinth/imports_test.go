package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/plinth-id/plinth/"

// mayImport is the table of ARCHITECTURE: a package (or a tree, with /...)
// and what it may import of ours. The first row that fits decides. cmd/plinth
// may import everything.
var mayImport = []struct {
	pkg  string
	ours []string
}{
	{"internal/oryx/...", nil},
	{"internal/...", []string{"internal/...", "templates"}},
	{"templates", nil},
	{"credentials/vc/...", []string{"credentials/vc/..."}},
	{"credentials/qr/...", []string{"credentials/vc/...", "credentials/qr/..."}},
	{"credentials/card/...", []string{"credentials/qr/...", "credentials/card/..."}},
	{"credentials/proof", []string{"internal/...", "credentials/vc/..."}},
	{"credentials/envelope", nil},
	{"biometrics/...", []string{"biometrics/..."}},
	{"registry", []string{"internal/...", "biometrics/..."}},
	{"registry/enrol", []string{"internal/...", "templates", "registry", "biometrics/...", "registry/place"}},
	{"registry/auth", []string{"internal/...", "templates", "registry", "biometrics/...", "registry/partner"}},
	{"registry/...", []string{"internal/...", "templates", "registry", "biometrics/..."}},
	{"oidc/...", []string{"internal/...", "templates", "registry", "registry/auth", "registry/partner", "oidc/..."}},
	{"credentials/vcapi", []string{"internal/...", "credentials/vc/..."}},
	{"credentials/chain", []string{"internal/...", "credentials/vc/..."}},
	{"credentials/scribe", []string{"internal/...", "registry", "credentials/..."}},
	{"credentials/shelf", []string{"internal/...", "credentials/kind"}},
	{"credentials/kind", []string{"registry", "credentials/vc/...", "credentials/qr"}},
	{"credentials/verifier/...", []string{"internal/...", "templates", "credentials/vc/...", "credentials/qr/...", "credentials/verifier/..."}},
	{"credentials", []string{"internal/...", "templates", "registry", "registry/auth", "credentials/..."}},
	{"credentials/status", []string{"internal/...", "templates", "registry", "registry/auth", "credentials/..."}},
	{"wallet/...", []string{"internal/...", "templates", "credentials/vc/...", "credentials/qr/...", "wallet/..."}},
	{"cmd/plinth/portal", []string{"templates", "internal/web"}},
	{"cmd/plinth", []string{"..."}},
}

// onlyIn confines libraries that would otherwise spread.
var onlyIn = map[string]string{
	"github.com/ory/fosite":        "oidc",
	"github.com/piprate/json-gold": "credentials/vc/jsonld",
}

// searchers may compare one person with all: enrolment, an ABIS of its own (which no
// server of ours mounts), and what composes. Nobody else.
var searchers = []string{"registry/enrol", "biometrics/abis", "biometrics/gallery/...", "cmd/plinth"}

func fits(pattern, pkg string) bool {
	tree, ok := strings.CutSuffix(pattern, "...")
	if !ok {
		return pattern == pkg
	}
	return tree == "" || pkg == strings.TrimSuffix(tree, "/") || strings.HasPrefix(pkg, tree)
}

type listed struct {
	ImportPath           string
	Imports, TestImports []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports", module+"...")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		row := slices.IndexFunc(mayImport, func(r struct {
			pkg  string
			ours []string
		}) bool {
			return fits(r.pkg, pkg)
		})
		if row < 0 {
			t.Errorf("%s: not in the table of imports", pkg)
			continue
		}
		for _, imported := range p.Imports {
			if theirs, ok := strings.CutPrefix(imported, module); ok &&
				!slices.ContainsFunc(mayImport[row].ours, func(may string) bool { return fits(may, theirs) }) {
				t.Errorf("%s must not import %s", pkg, theirs)
			}
			if imported == module+"biometrics/gallery" && !slices.ContainsFunc(searchers, func(may string) bool { return fits(may, pkg) }) {
				t.Errorf("%s must not import the gallery: the population is searched in enrolment alone", pkg)
			}
			for library, home := range onlyIn {
				if strings.HasPrefix(imported, library) && !fits(home+"/...", pkg) {
					t.Errorf("%s must not import %s: it is confined to %s", pkg, imported, home)
				}
			}
		}
	}
}

// sources calls visit with every Go file of ours that is not a test.
func sources(t *testing.T, visit func(file, text string)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != "../.." && entry.Name() != ".." || entry.Name() == "testdata" || entry.Name() == "node_modules" || entry.Name() == "data") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		raw, err := os.ReadFile(path)
		visit(strings.TrimPrefix(filepath.ToSlash(path), "../../"), string(raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var (
	statement = regexp.MustCompile("(?m)[`\"](SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH) ")
	route     = regexp.MustCompile(`\.Handle\("?(http\.Method|"?GET|"?POST|"?PUT|"?DELETE|"?PATCH)`)
	clockRead = regexp.MustCompile(`time\.(Now|Since|Until)\(`)
)

func TestSQLStandsInStores(t *testing.T) {
	sources(t, func(file, text string) {
		base := filepath.Base(file)
		home := strings.HasPrefix(base, "store") || strings.HasPrefix(base, "storage") || strings.HasPrefix(file, "internal/") || strings.HasPrefix(file, "cmd/")
		if !home && statement.MatchString(text) {
			t.Errorf("%s holds SQL: it belongs into store.go", file)
		}
	})
}

func TestDoorsStandInHTTPFiles(t *testing.T) {
	sources(t, func(file, text string) {
		base := filepath.Base(file)
		home := strings.HasPrefix(base, "http") || strings.HasPrefix(file, "oidc/") || strings.HasPrefix(file, "internal/web/") || strings.HasPrefix(file, "cmd/plinth/portal/")
		if !home && route.MatchString(text) {
			t.Errorf("%s opens a door: it belongs into http.go", file)
		}
	})
}

// The clock is a dependency wherever time decides something. Measuring how long
// something took is left to the ground and to the commands.
func TestClockIsADependency(t *testing.T) {
	sources(t, func(file, text string) {
		if !strings.HasPrefix(file, "internal/") && !strings.HasPrefix(file, "cmd/") && clockRead.MatchString(text) {
			t.Errorf("%s reads the clock itself: take a Now func", file)
		}
	})
}

// Kinds of files end at a measure; past it, split by what happens.
func TestFilesStayReadable(t *testing.T) {
	sources(t, func(file, text string) {
		if lines := strings.Count(text, "\n"); lines > 400 {
			t.Errorf("%s has %d lines, want at most 400", file, lines)
		}
	})
}
