package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/biometrics/gallery/crowd"
)

type benchGallery struct {
	People   int    `default:"10000" help:"How many are in the gallery."`
	Fingers  int    `default:"4" help:"How many fingers each has (1 to 10)."`
	Searches int    `default:"20" help:"How many of them come again, and how many strangers come."`
	Level    int    `default:"2" help:"How poor the captures are: 1 careful, 2 ordinary, 3 poor."`
	Seed     uint64 `default:"1" help:"Another seed, other people."`
}

// searched is what the searches of a gallery came to.
type searched struct {
	People       int     `json:"people"`
	Fingers      int     `json:"fingers"`
	Path         string  `json:"path"`
	Processors   int     `json:"processors"`
	FillSeconds  float64 `json:"fill_seconds"`
	Bytes        int64   `json:"bytes_rss"`
	PeakBytes    int64   `json:"peak_bytes_rss"`
	Mates        int     `json:"mates"`
	Found        int     `json:"mates_found"`     // somewhere among the candidates
	Duplicates   int     `json:"mates_duplicate"` // and named a duplicate
	FNIR         float64 `json:"fnir"`            // share of mates who are not the first candidate
	Strangers    int     `json:"strangers"`       // who are not in the gallery
	FalseDoubts  int     `json:"strangers_doubtful"`
	FalseMatches int     `json:"strangers_duplicate"`
	CoreSeconds  float64 `json:"core_seconds_a_search"`
	WallSeconds  float64 `json:"wall_seconds_a_search"`
	Nanoseconds  float64 `json:"nanoseconds_a_coarse_comparison"`
}

// fingerOrder is that in which fingers are taken, the most telling first.
var fingerOrder = []biometrics.Position{biometrics.RightIndex, biometrics.LeftIndex, biometrics.RightMiddle, biometrics.LeftMiddle, biometrics.RightThumb,
	biometrics.LeftThumb, biometrics.RightRing, biometrics.LeftRing, biometrics.RightLittle, biometrics.LeftLittle}

const limitOfSearch = 30 // as enrolment asks for

func (b benchGallery) Run(ctx context.Context) error {
	if b.People < 1 || b.Fingers < 1 || b.Fingers > len(fingerOrder) || b.Searches < 1 || b.Searches > b.People || b.Level < 1 || b.Level > 3 {
		return wrongUse{fmt.Errorf("people and searches must be at least 1, searches no more than people, fingers 1 to %d, level 1 to 3", len(fingerOrder))}
	}
	r := searched{People: b.People, Fingers: b.Fingers, Path: gallery.Path(), Processors: runtime.GOMAXPROCS(0), Mates: b.Searches, Strangers: b.Searches}
	g := gallery.New(gallery.Config{})
	begun := time.Now()
	if err := b.fill(ctx, g); err != nil {
		return err
	}
	r.FillSeconds = time.Since(begun).Seconds()
	if err := b.search(ctx, g, &r); err != nil {
		return err
	}
	const times = 100_000
	begun = time.Now()
	gallery.Exercise(times)
	r.Nanoseconds = float64(time.Since(begun).Nanoseconds()) / times
	r.Bytes, r.PeakBytes = memory("VmRSS:"), memory("VmHWM:")
	return printJSON(r)
}

func (b benchGallery) fill(ctx context.Context, g *gallery.Gallery) error {
	workers := runtime.GOMAXPROCS(0)
	failed := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := w; n < b.People && ctx.Err() == nil; n += workers {
				p, err := b.person(n, 0)
				if err != nil {
					failed[w] = err
					return
				}
				g.Insert(refOf(n), int64(n), p)
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b benchGallery) person(n, impression int) (gallery.Person, error) {
	p := gallery.Person{Fingers: make(map[biometrics.Position]finger.Template)}
	for i, position := range fingerOrder[:b.Fingers] {
		var err error
		if p.Fingers[position], err = crowd.Print(b.Seed<<40+uint64(n*len(fingerOrder)+i), impression, b.Level); err != nil {
			return p, err
		}
	}
	return p, nil
}

// refOf is a reference of its own for every number.
func refOf(n int) (ref uuid.UUID) {
	binary.BigEndian.PutUint64(ref[:], uint64(n))
	ref[15] = 1
	return ref
}

// search lets some come again, spread over the gallery, and as many strangers.
func (b benchGallery) search(ctx context.Context, g *gallery.Gallery, r *searched) error {
	probes := make([]gallery.Person, 2*b.Searches)
	for i := range probes {
		n, impression := i*(b.People/b.Searches), 1
		if i >= b.Searches {
			n = b.People + i
		}
		var err error
		if probes[i], err = b.person(n, impression); err != nil {
			return err
		}
	}
	first := 0
	begun, before := time.Now(), coreSeconds()
	for i, probe := range probes {
		if err := ctx.Err(); err != nil {
			return err
		}
		found := g.Search(probe, math.MaxInt64, limitOfSearch)
		if i < b.Searches {
			first += r.mate(g, found, refOf(i*(b.People/b.Searches)))
		} else if len(found) > 0 {
			r.stranger(g.Decide(found[0]))
		}
	}
	r.CoreSeconds = (coreSeconds() - before) / float64(len(probes))
	r.WallSeconds = time.Since(begun).Seconds() / float64(len(probes))
	r.FNIR = 1 - float64(first)/float64(b.Searches)
	return nil
}

// mate counts a search of somebody who is there, and tells whether they came first.
func (r *searched) mate(g *gallery.Gallery, found []gallery.Candidate, ref uuid.UUID) (first int) {
	for i, c := range found {
		if c.Ref != ref {
			continue
		}
		r.Found++
		if g.Decide(c) == gallery.Duplicate {
			r.Duplicates++
		}
		if i == 0 {
			return 1
		}
	}
	return 0
}

func (r *searched) stranger(v gallery.Verdict) {
	switch v {
	case gallery.Duplicate:
		r.FalseMatches++
	case gallery.Doubtful:
		r.FalseDoubts++
	}
}

// coreSeconds is the processor time of this process so far.
func coreSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// memory is a figure of this process as Linux tells it, in bytes; 0 elsewhere.
func memory(name string) int64 {
	raw, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes * 1024
		}
	}
	return 0
}
