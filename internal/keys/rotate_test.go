package keys

import (
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

func TestTheNextKeyIsPublishedBeforeItSigns(t *testing.T) {
	r := open(t, pgtest.Pool(t), newRoot(t))
	first, err := r.Signer(OIDCSigning)
	good(t, err)
	for _, step := range []struct {
		plan      Schedule
		published int
		turned    bool
	}{
		{Schedule{Every: time.Hour, Ahead: time.Minute}, 1, false}, // young: nothing to do
		{Schedule{Every: time.Hour, Ahead: time.Hour}, 2, false},   // the next one is made
		{Schedule{Every: 0, Ahead: time.Hour}, 2, false},           // but has not been published for an hour
		{Schedule{Every: 0, Ahead: 0}, 2, true},
	} {
		turned, err := r.Maintain(t.Context(), OIDCSigning, step.plan)
		good(t, err)
		if got := r.Published(OIDCSigning, time.Now(), time.Hour); turned != step.turned || len(got) != step.published {
			t.Fatalf("%+v: got %d keys, turned %v; want %d, %v", step.plan, len(got), turned, step.published, step.turned)
		}
		now, err := r.Signer(OIDCSigning)
		good(t, err)
		if (now.ID != first.ID) != step.turned {
			t.Fatalf("%+v: got key %s, first was %s; want a new one: %v", step.plan, now.ID, first.ID, step.turned)
		}
	}
	if got := r.Published(OIDCSigning, time.Now().Add(2*time.Hour), time.Hour); len(got) != 1 {
		t.Errorf("got %d keys an hour after the turn, want the current one", len(got))
	}
	if got := r.Verifiers(OIDCSigning); len(got) != 2 {
		t.Errorf("got %d keys that verify, want the old one too", len(got))
	}
}

func TestALegacyKeyIsMadeWhenAskedFor(t *testing.T) {
	r := open(t, pgtest.Pool(t), newRoot(t))
	if _, err := r.Signer(OIDCLegacy); err == nil {
		t.Fatal("got a key that nobody asked for")
	}
	good(t, r.Ensure(t.Context(), OIDCLegacy))
	good(t, r.Ensure(t.Context(), OIDCLegacy))
	if got := r.Verifiers(OIDCLegacy); len(got) != 1 || got[0].ID == "" {
		t.Errorf("got %v, want one key", got)
	}
}

func good(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
