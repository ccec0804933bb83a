package card

import (
	"bytes"
	"io"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// sink counts what a batch writes, and keeps nothing.
type sink struct{ n int64 }

func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

// TestBatchKeepsNobody: memory does not grow with the number of people, but for the
// place of each object.
func TestBatchKeepsNobody(t *testing.T) {
	p, to := printer(t, ID1), &sink{}
	c := amina(t, "eng", "ara")
	b, err := p.Batch(to, c)
	if err != nil {
		t.Fatal(err)
	}
	grown := func(cards int) uint64 {
		for range cards {
			if err := b.Add(c); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.GC() // what lies in pools outlives the first
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := grown(20)
	after := grown(500)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if after > before+(3<<20) || to.n < 520*10_000 {
		t.Errorf("got %d bytes more for 500 cards (%d written), want less than three megabytes", int64(after)-int64(before), to.n)
	}
}

// TestWhoCannotBePrintedLeavesNothing in a batch, not even the portrait.
func TestWhoCannotBePrintedLeavesNothing(t *testing.T) {
	p := printer(t, ID1)
	var with, without bytes.Buffer
	for _, to := range []*bytes.Buffer{&with, &without} {
		good := amina(t, "eng")
		b, err := p.Batch(to, good)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(good); err != nil {
			t.Fatal(err)
		}
		if to == &with {
			bad := amina(t, "eng")
			bad.Values["address"] = []Value{{Text: strings.Repeat("far away ", 100)}}
			if err := b.Add(bad); err == nil {
				t.Error("got nil, want an error")
			}
		}
		if err := b.Add(good); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	count := func(b *bytes.Buffer, what string) int { return len(regexp.MustCompile(what).FindAll(b.Bytes(), -1)) }
	for _, what := range []string{`/Type /Page `, `/DCTDecode`, `\nstream\n`} {
		if got, want := count(&with, what), count(&without, what); got != want || got == 0 {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
}

func BenchmarkCardPDF(b *testing.B) {
	p, c := printer(b, ID1), amina(b, "eng", "ara")
	for b.Loop() {
		if _, err := p.PDF(c, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCardBatch(b *testing.B) {
	p, c := printer(b, ID1), amina(b, "eng", "ara")
	batch, err := p.Batch(io.Discard, c)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := batch.Add(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCardSVG(b *testing.B) {
	p, c := printer(b, ID1), amina(b, "eng", "ara")
	for b.Loop() {
		if _, err := p.SVG(c, 0); err != nil {
			b.Fatal(err)
		}
	}
}
