package enrol

import (
	"testing"
	"testing/fstest"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

func TestSitesAreCountedWithoutPersons(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	officer := place.Officer{Role: place.Administrator}
	sites := func() []SiteQuality {
		t.Helper()
		all, err := w.Sites(t.Context(), 2, officer)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	a := newApplicant(1, 0)
	a.files["leftIndex.png"] = &fstest.MapFile{Data: print(2, 0)}
	w.enrol(t, a)
	if got := sites(); len(got) != 1 || !got[0].Few || got[0].Measured != 0 || got[0].Mean != 0 || len(got[0].Signed) != 0 {
		t.Errorf("got %+v, want nothing told of one person", got)
	}
	bad := newApplicant(3, 0)
	bad.files["leftIndex.png"] = &fstest.MapFile{Data: picture(388, 374, blank)} // before the good one
	w.enrol(t, bad)
	for seed := int64(4); seed < 13; seed++ {
		w.enrol(t, newApplicant(seed, 0))
	}
	got := sites()
	if len(got) != 1 || got[0].Few || got[0].Station != w.station.Station || got[0].Modality != biometrics.Finger {
		t.Fatalf("got %+v, want one station's fingers", got)
	}
	var measured int64
	for _, n := range got[0].Quality {
		measured += n
	}
	if q := got[0]; q.Signed["none"] != 11 || q.Measured < 11 || q.Measured != measured || q.Refused != 1 || q.Excepted != 0 || !(q.Mean > leastQuality && q.Mean <= 100) {
		t.Errorf("got %+v, want eleven good fingers and a refused one", q)
	}
	if _, err := w.Sites(t.Context(), 0, officer); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v for no week", err)
	}
	if _, err := w.Sites(t.Context(), 1, place.Officer{Role: place.Operator}); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v for an operator", err)
	}
}
