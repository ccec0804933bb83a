// Package abis is an automated biometric identification system for the enrolment of
// others: it speaks the ABIS interface 1.1 of MOSIP. Insert fetches somebody's samples
// and keeps their templates, identify finds who is alike, delete forgets.
//
// An answer to insert or delete is given only after the change is on the disk, sealed.
// An insert or a delete that comes again has one effect and the same answer. Identify
// searches those who were inserted before it came, all of them and nobody else.
//
// A population is searched here by its purpose, so this belongs to an enrolment system
// and to nobody else: it is no part of our server, and does nothing without a secret.
package abis

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/plinth-id/plinth/biometrics/gallery"
)

// Config is what an ABIS works with.
type Config struct {
	File  string // of the templates, sealed; made when there is none
	Key   []byte // 32 bytes, by which the file is sealed and references are hashed
	Fetch Fetcher
	// FPIR is how often the search of somebody who is new may name anybody, unless the
	// request says otherwise (targetFPIR); 0 means one in a thousand.
	FPIR float64
	// Record keeps what was asked, before it is answered. Where it fails nothing is
	// answered.
	Record func(Event) error
	Now    func() time.Time // nil means time.Now
}

// Event is what the record of requests holds: nobody is named, and nothing of a body.
type Event struct {
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"`
	Request    string    `json:"request"`
	Reference  string    `json:"reference,omitempty"` // a keyed hash
	Failure    Failure   `json:"failure,omitempty"`
	Candidates int       `json:"candidates,omitempty"`
}

// ABIS answers requests.
type ABIS struct {
	Config
	gallery *gallery.Gallery
	file    *journal
	holding *semaphore.Weighted // of samples in memory, up to MostSamples each
	reading *semaphore.Weighted // of samples, which takes processors

	mu      sync.Mutex
	known   map[string]member    // by reference
	refs    map[uuid.UUID]string // of the gallery
	deleted map[string]deletion
	turns   map[*turn]struct{} // under way
	place   int64              // of the latest
	jobs    atomic.Int64
}

// member is somebody who is in the gallery.
type member struct {
	ref     uuid.UUID
	request string // that brought them
	at      int64  // in the file
	place   int64  // among the requests
}

type deletion struct {
	request string
	at      time.Time
}

// turn is the place of a request among the others.
type turn struct {
	place     int64
	reference string
	search    bool // changes nothing
	done      chan struct{}
}

const (
	usualFPIR = .001
	mostHeld  = 8 // documents
)

// Open opens an ABIS, with everybody who was inserted before.
func Open(c Config) (*ABIS, error) {
	if len(c.Key) != keyBytes || c.File == "" || c.Record == nil || c.Fetch == nil {
		return nil, errors.New("abis: a file, a key of 32 bytes, a fetcher and a record are needed")
	}
	if c.FPIR == 0 {
		c.FPIR = usualFPIR
	}
	if !(c.FPIR > 0 && c.FPIR < 1) {
		return nil, errors.New("abis: the false positive identification rate is between 0 and 1")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &ABIS{Config: c, gallery: gallery.New(gallery.Config{}), holding: semaphore.NewWeighted(mostHeld), reading: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
		known: make(map[string]member), refs: make(map[uuid.UUID]string), deleted: make(map[string]deletion), turns: make(map[*turn]struct{})}
	var err error
	if a.file, err = openJournal(c.File, c.Key, c.Now()); err != nil {
		return nil, err
	}
	if err := a.restore(); err != nil {
		return nil, errors.Join(err, a.file.close())
	}
	return a, nil
}

// restore fills the gallery from the file, on every processor: that takes longer than
// reading.
func (a *ABIS) restore() error {
	var inserting sync.WaitGroup
	defer inserting.Wait()
	return a.file.each(func(at int64, e entry) error {
		if e.Kind == entryDelete {
			inserting.Wait()
			a.forget(e)
			return nil
		}
		person, err := e.person()
		if err != nil {
			return err
		}
		a.place++
		place := a.place
		if err := a.reading.Acquire(context.Background(), 1); err != nil {
			return err
		}
		inserting.Go(func() {
			defer a.reading.Release(1)
			a.learn(at, place, e, person)
		})
		return nil
	})
}

// learn puts somebody into the gallery who is on the disk.
func (a *ABIS) learn(at, place int64, e entry, person gallery.Person) {
	a.mu.Lock()
	m := member{uuid.New(), e.Request, at, place}
	a.known[e.Reference], a.refs[m.ref] = m, e.Reference
	delete(a.deleted, e.Reference)
	a.mu.Unlock()
	a.gallery.Insert(m.ref, place, person)
}

func (a *ABIS) forget(e entry) {
	a.mu.Lock()
	m, ok := a.known[e.Reference]
	delete(a.known, e.Reference)
	delete(a.refs, m.ref)
	a.deleted[e.Reference] = deletion{e.Request, time.Unix(e.At, 0)}
	a.mu.Unlock()
	if ok {
		a.gallery.Remove(m.ref)
	}
}

// Close ends the writing.
func (a *ABIS) Close() error { return a.file.close() }

// Len is how many people there are.
func (a *ABIS) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.known)
}

// begin gives a request its turn, and those that it has to wait for: an insert for
// changes of the same reference, a search and a count for all changes, a delete for
// everything, so that nobody vanishes from a search that came before.
func (a *ABIS) begin(r Request) (own *turn, before []*turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for t := range a.turns {
		switch r.ID {
		case Insert:
			if !t.search && t.reference == r.ReferenceID {
				before = append(before, t)
			}
		case Identify, ReferenceCount:
			if !t.search {
				before = append(before, t)
			}
		case Delete:
			before = append(before, t)
		}
	}
	a.place++
	own = &turn{a.place, r.ReferenceID, r.ID == Identify, make(chan struct{})}
	if r.ID == Insert || r.ID == Delete || r.ID == Identify {
		a.turns[own] = struct{}{}
	}
	return own, before
}

func (a *ABIS) end(own *turn) {
	if own == nil {
		return
	}
	a.mu.Lock()
	delete(a.turns, own)
	a.mu.Unlock()
	close(own.done)
}

// Arrival is a request that has its place among the others.
type Arrival struct {
	a       *ABIS
	request Request
	failure Failure // of the request itself
	own     *turn
	before  []*turn
}

// Arrive gives a request its place: whoever takes requests from a queue calls it in
// their order, and may call Answer of several at once.
func (a *ABIS) Arrive(message []byte) *Arrival {
	r, failure := parseRequest(message)
	arrival := &Arrival{a: a, request: r, failure: failure}
	a.jobs.Add(1)
	if failure == 0 {
		arrival.own, arrival.before = a.begin(r)
	}
	return arrival
}

// Answer serves the request. An error means that it could not be recorded, or that ctx
// has ended: then nothing must be answered, and the request may come again.
func (arrival *Arrival) Answer(ctx context.Context) (Answer, error) {
	a, r := arrival.a, arrival.request
	defer a.jobs.Add(-1)
	defer a.end(arrival.own)
	for _, t := range arrival.before {
		select {
		case <-t.done:
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
	answer := Answer{ID: r.ID, RequestID: r.RequestID, ReturnValue: Success}
	failure := arrival.failure
	if failure == 0 {
		failure = a.serve(ctx, arrival, &answer)
	}
	event := Event{At: a.Now().UTC(), Kind: cmp.Or(r.ID, "unknown"), Request: shown(r.RequestID), Failure: failure}
	if r.ReferenceID != "" {
		event.Reference = a.file.hash(r.ReferenceID)
	}
	if answer.CandidateList != nil {
		event.Candidates = len(answer.CandidateList.Candidates)
	}
	// What was done is recorded, also where nobody waits for the answer any more.
	if err := errors.Join(a.Record(event), ctx.Err()); err != nil {
		return Answer{}, err
	}
	if failure != 0 {
		answer = Answer{ID: r.ID, RequestID: r.RequestID, ReturnValue: Failed, FailureReason: strconv.Itoa(int(failure))}
	}
	answer.ResponseTime = stamp(a.Now())
	return answer, nil
}

// Serve answers one message.
func (a *ABIS) Serve(ctx context.Context, message []byte) (Answer, error) {
	return a.Arrive(message).Answer(ctx)
}

func (a *ABIS) serve(ctx context.Context, arrival *Arrival, answer *Answer) (failure Failure) {
	r, place := arrival.request, arrival.own.place
	defer func() { // samples are bytes of others
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "abis: serving a request failed", "panic", p, "kind", r.ID)
			failure = Unexpected
		}
	}()
	switch r.ID {
	case Insert:
		return a.insert(ctx, r, place)
	case Identify:
		return a.identify(ctx, search{r, place}, answer)
	case Delete:
		return a.remove(r)
	case PendingJobs:
		answer.JobsCount = strconv.FormatInt(a.jobs.Load()-1, 10) // but for this one
	case ReferenceCount:
		answer.Count = strconv.Itoa(a.Len())
	}
	return 0
}

func (a *ABIS) insert(ctx context.Context, r Request, place int64) Failure {
	a.mu.Lock()
	m, exists := a.known[r.ReferenceID]
	a.mu.Unlock()
	if exists && m.request == r.RequestID {
		return 0 // the answer was lost
	}
	if exists {
		return ReferenceExists
	}
	person, failure := a.samples(ctx, r.ReferenceURL)
	if failure != 0 {
		return failure
	}
	e := newEntry(r, person, a.Now())
	at, err := a.file.append(e)
	if err != nil {
		slog.ErrorContext(ctx, "abis: writing failed", "error", err)
		return Internal
	}
	a.learn(at, place, e, person)
	return 0
}

// samples fetches somebody's samples and makes templates of them.
func (a *ABIS) samples(ctx context.Context, url string) (gallery.Person, Failure) {
	if a.holding.Acquire(ctx, 1) != nil {
		return gallery.Person{}, Aborted
	}
	defer a.holding.Release(1)
	raw, failure := a.Fetch(ctx, url)
	if failure != 0 {
		return gallery.Person{}, failure
	}
	if a.reading.Acquire(ctx, 1) != nil {
		return gallery.Person{}, Aborted
	}
	defer a.reading.Release(1)
	return templatesOf(raw)
}

func (a *ABIS) remove(r Request) Failure {
	a.mu.Lock()
	_, exists := a.known[r.ReferenceID]
	before, gone := a.deleted[r.ReferenceID]
	a.mu.Unlock()
	if !exists && gone && before.request == r.RequestID {
		return 0
	}
	if !exists {
		return ReferenceUnknown
	}
	e := entry{Kind: entryDelete, Reference: r.ReferenceID, Request: r.RequestID, At: a.Now().Unix()}
	if _, err := a.file.append(e); err != nil {
		slog.Error("abis: writing failed", "error", err)
		return Internal
	}
	a.forget(e)
	return 0
}
