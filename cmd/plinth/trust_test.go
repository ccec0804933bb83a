package main

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
)

// neighbour is an issuer of another country.
const neighbour = "https://neighbour.example"

var neighbourKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// neighbours is a trust list with one issuer.
func neighbours(issuer string, key crypto.PublicKey, expires time.Time) vc.TrustList {
	multikey, err := vc.Multikey(key)
	if err != nil {
		panic(err)
	}
	return vc.TrustList{Expires: expires, Issuers: []vc.TrustedIssuer{{ID: issuer, Name: "Neighbour", Keys: []vc.TrustedKey{{ID: issuer + "#k", PublicKeyMultibase: multikey}}}}}
}

func writeList(dir, name string, list vc.TrustList) (string, error) {
	raw, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, raw, 0o644)
}

// The demo of the journeys is told of the neighbour by PLINTH_TRUST.
func TestServerBelievesItsNeighbours(t *testing.T) {
	d := demoOf(t)
	text, err := qr.Encode(qr.Identity169{FullName: "Nadia Neighbour"}, qr.Claims{Issuer: neighbour, IssuedAt: time.Now()}, neighbourKey, []byte("k"))
	must(t, err)
	answer, err := http.Post(d.url+"/verify/check", "text/plain", strings.NewReader(text))
	must(t, err)
	defer answer.Body.Close()
	var verdict struct{ Verdict string }
	must(t, json.NewDecoder(answer.Body).Decode(&verdict))
	if verdict.Verdict != "valid" {
		t.Errorf("got %+v, want the neighbour believed", verdict)
	}
	_, page := d.get(t, "/verify/offline.json")
	edition, _ := answerOf(t, page)["edition"].(string)
	if payload := strings.Split(edition, "."); len(payload) != 3 || !strings.Contains(plainText(t, payload[1]), neighbour) {
		t.Error("a device does not know the neighbour")
	}
}

// plainText is a part of a compact token.
func plainText(t *testing.T, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	must(t, err)
	return string(raw)
}

func TestTrustBesidesUs(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	ours := neighbours("did:web:us.example", neighbourKey.Public(), time.Time{})
	for name, c := range map[string]struct {
		list vc.TrustList
		want int
	}{
		"another":             {neighbours(neighbour, neighbourKey.Public(), now.Add(time.Hour)), 2},
		"over":                {neighbours(neighbour, neighbourKey.Public(), now.Add(-time.Hour)), 1},
		"us by our DID":       {neighbours("did:web:us.example", neighbourKey.Public(), time.Time{}), 1},
		"us by our address":   {neighbours("https://us.example", neighbourKey.Public(), time.Time{}), 1},
		"read again, emptied": {vc.TrustList{}, 1},
	} {
		file, err := writeList(dir, "list.json", c.list)
		must(t, err)
		o := others{files: []string{file}, lists: map[string]vc.TrustList{}}
		if got := o.besides(ours, now); len(got.Issuers) != c.want || len(ours.Issuers) != 1 {
			t.Errorf("%s: got %d issuers, want %d", name, len(got.Issuers), c.want)
		}
	}
	if err := (&others{files: []string{filepath.Join(dir, "none")}, lists: map[string]vc.TrustList{}}).read(); err == nil {
		t.Error("got nil, want a file that is missing told")
	}
}
