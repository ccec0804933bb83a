package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/plinth-id/plinth/biometrics/finger"
)

// A full dump of the seeded demo and everything in its blob directory, searched
// for every name, phone, mail address, UIN, VID, birth date and run of template
// bytes of its people, in every form that a store could give them.
func TestDumpTellsNothing(t *testing.T) {
	d := demoOf(t)
	haystack := append(dump(t, d), blobs(t, d)...)
	if len(haystack) < 100_000 {
		t.Fatalf("got %d bytes of dump, want all of it", len(haystack))
	}
	for what, needle := range canaries(t, d) {
		for form, bytesOf := range forms(needle) {
			if bytes.Contains(haystack, bytesOf) {
				t.Errorf("the dump holds %s (%s)", what, form)
			}
		}
	}
}

// What the search must find when it is there: a search that finds nothing
// because it cannot is no test.
func TestDumpSearchFindsWhatIsThere(t *testing.T) {
	d := demoOf(t)
	haystack := dump(t, d)
	if !bytes.Contains(haystack, []byte(d.sheet.Staff[0].Name)) && !bytes.Contains(haystack, []byte(d.sheet.Clients[0].ID)) {
		t.Fatal("the dump does not even hold the client's id: it is not the demo's")
	}
}

func dump(t *testing.T, d *running) []byte {
	t.Helper()
	out, code := d.run(t, "doctor", "--json")
	if code > exitNo {
		t.Fatalf("doctor: exit %d: %s", code, out)
	}
	var report struct {
		Database struct{ DSN string } `json:"database"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("doctor: %v: %s", err, out)
	}
	tool := "pg_dump"
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump"); err == nil && len(found) > 0 {
		tool = found[len(found)-1]
	}
	raw, err := exec.Command(tool, "--inserts", report.Database.DSN).Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	return raw
}

func blobs(t *testing.T, d *running) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(filepath.Join(d.dir, "blobs"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		all = append(append(all, path...), raw...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no blobs to search")
	}
	return all
}

// canaries are what must not be found, by what they are.
func canaries(t *testing.T, d *running) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, p := range d.sheet.People {
		all["the name "+p.Name] = []byte(p.Name)
		for _, part := range strings.Fields(p.Name) {
			if len(part) >= 5 { // fewer letters come by chance in what is sealed
				all["the name part "+part] = []byte(part)
			}
		}
		all["the UIN of "+p.Name] = []byte(p.UIN)
		all["the VID of "+p.Name] = []byte(p.VID)
		all["the phone of "+p.Name] = []byte(strings.TrimPrefix(p.Phone, "+"))
		all["the mail of "+p.Name] = []byte(p.Email)
		all["the birth date of "+p.Name] = []byte(p.Birthdate)
	}
	images, err := filepath.Glob(filepath.Join(d.dir, "enrolments", "*", "rightIndex.png"))
	if err != nil || len(images) == 0 {
		t.Fatalf("no enrolment images: %v", err)
	}
	for _, image := range images {
		raw, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		all["image bytes of "+image] = raw[len(raw)/2 : len(raw)/2+24]
		img, err := finger.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		template, _, err := finger.Extract(img)
		if err != nil {
			t.Fatal(err)
		}
		packed := template.Marshal()
		all["template bytes of "+image] = packed[len(packed)/2 : len(packed)/2+12]
	}
	return all
}

// forms are the ways in which a store could hold the same bytes.
func forms(needle []byte) map[string][]byte {
	all := map[string][]byte{"as it is": needle, "in hexadecimal": []byte(hex.EncodeToString(needle))}
	if quoted, err := json.Marshal(string(needle)); err == nil {
		all["in JSON"] = quoted[1 : len(quoted)-1]
	}
	for skip := range 3 { // whatever stands before it
		if len(needle) < 6 {
			break // so few letters come by chance
		}
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, skip), needle...))
		all[fmt.Sprintf("in base64, %d bytes in", skip)] = []byte(encoded[(skip*8+5)/6 : len(encoded)-1])
	}
	var wide []byte
	for _, unit := range utf16.Encode([]rune(string(needle))) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	all["in UTF-16"] = wide
	return all
}
