package credentials

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/shelf"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
)

// all issues every format of the card at the desk, with one revocation.
func (h *house) all(t *testing.T) map[string][]byte {
	t.Helper()
	made, err := h.Assisted(t.Context(), Errand{UIN: h.uin.Reveal(), Kind: "national_id", Officer: uuid.New(), Reason: "printed at the desk"})
	must(t, err)
	return made
}

func TestOneIssuanceInAllFormatsIsRevokedAtOnce(t *testing.T) {
	h := newHouse(t)
	made := h.all(t)
	if len(made) != 4 {
		t.Fatalf("got %d formats, want 4", len(made))
	}
	for format, document := range made {
		if v := h.judge(t, document, fetch); v.Verdict != verifier.Valid {
			t.Errorf("%s: got %s: %s, want valid", format, v.Verdict, codes(v))
		}
	}
	found, err := h.Search(t.Context(), Search{UIN: h.uin.Reveal()}, "officer:1")
	must(t, err)
	if len(found) != 4 || found[0].Issuance != found[3].Issuance || found[0].StatusIndex == found[1].StatusIndex {
		t.Fatalf("got %+v, want four artefacts of one issuance, each with a place of its own", found)
	}
	for _, step := range []struct {
		to   status.Value
		want string
	}{{status.Suspended, "suspended"}, {status.Valid, "valid"}, {status.Revoked, "revoked"}} {
		must(t, h.Judge(t.Context(), Judgement{ID: found[2].ID, To: step.to, By: "officer:1", Reason: "for this test to pass"}))
		h.wait(status.TTL + 1)
		for n := range found {
			at := fmt.Sprintf("%s#%d", found[n].StatusList, found[n].StatusIndex)
			got, err := h.Search(t.Context(), Search{Place: at}, "officer:1")
			must(t, err)
			if len(got) != 1 || got[0].ID != found[n].ID || got[0].Status != step.want {
				t.Errorf("%s: got %+v, want it %s", at, got, step.want)
			}
		}
		for format, document := range made {
			if v := h.judge(t, document, fetch); (v.Verdict == verifier.Valid) != (step.to == status.Valid) {
				t.Errorf("%s is %s: got %s: %s", format, step.want, v.Verdict, codes(v))
			}
		}
	}
	for _, to := range []status.Value{status.Suspended, status.Valid, status.Revoked} {
		if err := h.Judge(t.Context(), Judgement{ID: found[0].ID, To: to, By: "officer:1", Reason: "after it was revoked"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("got %v, want a revocation to be for good", err)
		}
	}
	if n := h.count(t, "SELECT count(*) FROM audit_entry WHERE event IN ('credential-suspended', 'credential-resumed', 'credential-revoked') AND actor = 'officer:1'"); n != 3 {
		t.Errorf("got %d entries, want one for each judgement", n)
	}
}

// standing counts what the lists say of a person's credentials.
func (h *house) states(t *testing.T) map[string]int {
	t.Helper()
	found, err := h.Search(t.Context(), Search{UIN: h.uin.Reveal()}, "officer:1")
	must(t, err)
	all := map[string]int{}
	for _, f := range found {
		all[f.Status]++
	}
	return all
}

func (h *house) change(t *testing.T, c registry.Change) {
	t.Helper()
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error { return h.Changed(t.Context(), tx, c) }))
}

func TestABlockedIdentityIsSuspendedAndComesBack(t *testing.T) {
	h := newHouse(t)
	h.all(t)
	h.fetched(t, "proof_of_age_sd_jwt")
	set := func(from, to registry.Status) {
		must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error { return h.Registry.SetStatus(t.Context(), tx, h.person, from, to) }))
	}
	officers, err := h.Search(t.Context(), Search{UIN: h.uin.Reveal()}, "officer:1")
	must(t, err)
	set(registry.Active, registry.Blocked)
	if got := h.states(t); got["suspended"] != 4 || got["revoked"] != 1 {
		t.Errorf("got %v, want the card suspended, and revoked what cannot be suspended", got)
	}
	if err := h.Judge(t.Context(), Judgement{ID: officers[4].ID, To: status.Valid, By: "officer:1", Reason: "although it is blocked"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want an officer not to lift what the registry did", err)
	}
	set(registry.Blocked, registry.Active)
	if got := h.states(t); got["valid"] != 4 || got["revoked"] != 1 {
		t.Errorf("got %v, want the card back", got)
	}
	must(t, h.Judge(t.Context(), Judgement{ID: officers[4].ID, To: status.Suspended, By: "officer:1", Reason: "reported as lost"}))
	set(registry.Active, registry.Blocked)
	set(registry.Blocked, registry.Active)
	if got := h.states(t); got["suspended"] != 4 {
		t.Errorf("got %v, want what an officer suspended to stay so", got)
	}
	set(registry.Active, registry.Deactivated)
	if got := h.states(t); got["revoked"] != 5 {
		t.Errorf("got %v, want everything revoked for good", got)
	}
}

func TestACorrectionRevokesWhatShowsTheFactAndOffersItAnew(t *testing.T) {
	h := newHouse(t)
	h.fetched(t, "proof_of_age_sd_jwt")
	h.fetched(t, "national_id_sd_jwt")
	before := len(h.sent)
	h.change(t, registry.Change{Person: h.person, Status: registry.Active, Fields: []string{"fullName"}})
	if got := h.states(t); got["revoked"] != 1 || got["valid"] != 1 {
		t.Errorf("got %v, want only the card revoked, which shows the name", got)
	}
	if len(h.sent) != before+2 {
		t.Errorf("got %d messages, want the offer and its code", len(h.sent)-before)
	}
	h.change(t, registry.Change{Person: h.person, Status: registry.Active, Fields: []string{"dateOfBirth"}})
	if got := h.states(t); got["revoked"] != 2 {
		t.Errorf("got %v, want the proof of age revoked too", got)
	}
}

// kindOf is a kind of one's own, made of the proof of age.
func ownKind(name string) string {
	raw := strings.NewReplacer("proof_of_age", name, "ProofOfAge", "Adult").Replace(string(kind.BuiltinDocument("proof_of_age")))
	return raw
}

func TestAKindGoesFromDraftToRetired(t *testing.T) {
	h := newHouse(t)
	admin := func(method, path, body string) (*http.Response, map[string]any) {
		return ask(t, method, h.url+kindsPath+path, "", body)
	}
	got, body := admin("POST", "", ownKind("adult"))
	if got.StatusCode != 201 || body["state"] != "draft" || body["version"] != 1.0 {
		t.Fatalf("got %d %v, want a draft", got.StatusCode, body)
	}
	if _, ok := h.kind("adult_sd_jwt"); ok {
		t.Error("a draft is issued")
	}
	if err := (&shelf.Shelf{Pool: h.Pool, Now: h.now}).Activate(t.Context(), "adult", 1, "x"); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want nothing activated that was not rehearsed", err)
	}
	got, body = admin("POST", "/adult/1/dry-run", "")
	if got.StatusCode != 200 || len(body["problems"].([]any)) != 0 || len(body["artefacts"].([]any)) < 6 {
		t.Fatalf("got %d %v, want a report without problems", got.StatusCode, body)
	}
	if got, body = admin("POST", "/adult/1/dry-run", `{"uin":"`+h.uin.Reveal()+`"}`); got.StatusCode != 200 || body["artefacts"].([]any)[0].(map[string]any)["sample"] != "person" {
		t.Errorf("got %d %v, want the person's own", got.StatusCode, body)
	}
	if n := h.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'credential-shown' AND person = $1", h.person); n != 1 {
		t.Errorf("got %d entries, want one that an officer saw the person", n)
	}
	if got, body = admin("POST", "/adult/newest/activate", ""); got.StatusCode != 200 {
		t.Fatalf("got %d %v, want it active", got.StatusCode, body)
	}
	h.fetched(t, "adult_sd_jwt")
	first, _ := h.kind("adult_ldp_vc")

	got, _ = admin("POST", "", strings.Replace(ownKind("adult"), `"days": 90`, `"days": 30`, 1))
	if got.StatusCode != 201 {
		t.Fatal(got.Status)
	}
	if got, body = admin("POST", "/adult/2/activate", ""); got.StatusCode != 200 {
		t.Fatalf("got %d %v", got.StatusCode, body)
	}
	if k, _ := h.kind("adult_sd_jwt"); k.Version != 2 || k.Definition.Days != 30 {
		t.Errorf("got version %d, want the second", k.Version)
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance WHERE configuration = 'adult_sd_jwt' AND version = 1"); n != 1 {
		t.Errorf("got %d lines of version 1, want what was issued to stay what it was", n)
	}
	if got, body = admin("POST", "/adult/retire", ""); got.StatusCode != 204 {
		t.Fatalf("got %d %v", got.StatusCode, body)
	}
	if _, ok := h.kind("adult_sd_jwt"); ok {
		t.Error("a retired kind is issued")
	}
	if got, _ := ask(t, "GET", first.Contexts[1], "", ""); got.StatusCode != 200 {
		t.Errorf("got %d, want the terms of a retired kind still there", got.StatusCode)
	}
	_, body = admin("GET", "", "")
	if n := len(body["kinds"].([]any)); n != 4 {
		t.Errorf("got %d versions, want two and the two built in", n)
	}
	must(t, h.Retire(t.Context(), "national_id", "officer:1"))
	if _, ok := h.kind(NationalID); ok {
		t.Error("a built-in kind that was retired is issued")
	}
}

func TestWhatCannotBeIssuedIsNotActivated(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct{ old, now, want string }{
		"a field that the schema lacks": {`{"claim": "age_over_18"}`, `{"field": "shoeSize"}`, "shoeSize"},
		"a term without a meaning":      {`"ageOver18": "https://plinth.id/vocab#ageOver18",`, ``, "term"},
		"the scope of another kind":     {`"scope": "adult"`, `"scope": "national_id"`, "national_id"},
		"the doctype of another kind":   {`org.plinth.adult.1`, `org.plinth.national_id.1`, "national_id"},
	} {
		raw := ownKind("adult")
		if !strings.Contains(raw, c.old) {
			t.Fatalf("%s: %q is not in the document", name, c.old)
		}
		v, err := h.Draft(t.Context(), []byte(strings.Replace(raw, c.old, c.now, 1)), "officer:1")
		must(t, err)
		_, err = h.Activate(t.Context(), "adult", v.Version, "officer:1")
		f := fault.Of(err)
		if said, _ := json.Marshal(f.Fields); err == nil || !strings.Contains(string(said), c.want) {
			t.Errorf("%s: got %v %s, want it refused for %q", name, err, said, c.want)
		}
		if _, ok := h.kind("adult_sd_jwt"); ok {
			t.Fatalf("%s: it is active", name)
		}
	}
	for name, raw := range map[string]string{"no JSON": "{", "a misspelled rule": strings.Replace(ownKind("adult"), `"binding"`, `"bindnig"`, 1), "something after it": ownKind("adult") + "{}"} {
		if _, err := h.Draft(t.Context(), []byte(raw), "officer:1"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func TestAnOfficerHandsOutAnOffer(t *testing.T) {
	h := newHouse(t)
	got, body := ask(t, "POST", h.url+ledgerPath+"/offers", "", `{"uin":"`+h.uin.Reveal()+`","kinds":["proof_of_age_sd_jwt"],"reason":"asked for at the counter"}`)
	if got.StatusCode != 201 || !strings.HasPrefix(body["link"].(string), "openid-credential-offer://") || !strings.HasPrefix(body["qr"].(string), "<svg") {
		t.Errorf("got %d %v, want a link and its code", got.StatusCode, body)
	}
	for name, refused := range map[string]string{"a kind that is only printed": "national_id_claim169", "an unknown kind": "passport"} {
		if got, _ := ask(t, "POST", h.url+ledgerPath+"/offers", "", `{"uin":"`+h.uin.Reveal()+`","kinds":["`+refused+`"],"reason":"asked for at the counter"}`); got.StatusCode != 400 {
			t.Errorf("%s: got %d, want 400", name, got.StatusCode)
		}
	}
}
