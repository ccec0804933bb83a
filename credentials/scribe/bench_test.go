package scribe

import (
	"testing"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/status"
)

func BenchmarkSignLDP(b *testing.B) {
	stage, err := newStage(base)
	if err != nil {
		b.Fatal(err)
	}
	d := kind.Builtin()[0]
	k, err := Configure(base, d, kind.LDP)
	if err != nil {
		b.Fatal(err)
	}
	s := Statement{ID: uuid.New(), Who: Samples(d)[0].Who, Entry: status.Entry{List: 7, Index: 9, URL: base + "/status/7"}, From: stage.now, Until: stage.now.Add(d.Life())}
	s.Who.Portrait = nil
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stage.hand.Sign(k, s); err != nil {
			b.Fatal(err)
		}
	}
}
