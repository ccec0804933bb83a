package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plinth-id/plinth/registry/enrol"
)

type benchPopulation struct {
	People  int   `default:"10000" help:"How many persons, two fingers each."`
	Twins   int   `default:"100" help:"How many of them come a second time, under another name."`
	Level   int   `default:"2" help:"How poor the captures are: 1 careful, 2 ordinary, 3 poor."`
	Workers int   `default:"6" help:"How many packets are on their way at once."`
	Seed    int64 `default:"1" help:"Another seed, another order."`
}

// outcomes is what became of a population.
type outcomes struct {
	People        int     `json:"people"`
	Twins         int     `json:"twins"`
	Numbers       int     `json:"numbers"`            // given
	Caught        int     `json:"twins_caught"`       // one of the two refused as a duplicate
	Asked         int     `json:"twins_doubtful"`     // one of the two left to officers
	Missed        int     `json:"twins_missed"`       // both have a number
	FalseMatch    int     `json:"strangers_refused"`  // who are nobody's duplicate
	FalseDoubts   int     `json:"strangers_doubtful"` // an officer is asked for nothing
	Unusable      int     `json:"images_refused"`     // too poor to enrol
	Failures      int     `json:"failures"`           // neither an outcome nor a refusal
	Seconds       float64 `json:"seconds"`
	PerSecond     float64 `json:"per_second"`
	CPUEach       float64 `json:"server_cpu_ms_each"`
	CPUEachAtLast float64 `json:"server_cpu_ms_each_of_the_last_tenth"`
}

const codeDuplicate = "duplicate" // the reason_code of an application that was refused as one

// comer is one who comes to enrol.
type comer struct {
	person int
	again  bool
}

// Run enrols a population through the whole pipeline, with some who try for a second
// number, at places in the queue that nobody chose.
func (c *benchPopulation) Run(ctx context.Context) error {
	if c.People < 1 || c.Twins < 0 || c.Twins > c.People || c.Workers < 1 || c.Level < 1 || c.Level > 3 {
		return wrongUse{errors.New("--people and --workers are at least 1, --twins no more than people, --level 1 to 3")}
	}
	b, err := startBench(ctx)
	if err != nil {
		return err
	}
	defer b.stop()
	d, err := b.desk(ctx)
	if err != nil {
		return err
	}
	queue := c.queue()
	ends := make([]enrol.State, len(queue))
	codes := make([]string, len(queue))
	before, err := cpuOf(b.pid())
	if err != nil {
		return err
	}
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		late  atomic.Int64 // processor time when nine tenths were done
		begun = time.Now()
	)
	for range c.Workers {
		wg.Go(func() {
			for {
				n := int(next.Add(1) - 1)
				if n >= len(queue) || ctx.Err() != nil {
					return
				}
				if n == len(queue)*9/10 {
					if used, err := cpuOf(b.pid()); err == nil {
						late.Store(int64(used))
					}
				}
				if n%500 == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d\n", n, len(queue))
				}
				ends[n], codes[n] = c.enrol(ctx, d, queue[n])
			}
		})
	}
	wg.Wait()
	r := c.judged(queue, ends, codes)
	r.Seconds = time.Since(begun).Seconds()
	r.PerSecond = float64(len(queue)) / r.Seconds
	after, err := cpuOf(b.pid())
	if err != nil {
		return err
	}
	r.CPUEach = (after - before).Seconds() * 1000 / float64(len(queue))
	r.CPUEachAtLast = (after - time.Duration(late.Load())).Seconds() * 1000 / float64(len(queue)-len(queue)*9/10)
	return printJSON(r)
}

// queue is everybody once, and twins once more, in any order.
func (c *benchPopulation) queue() []comer {
	r := rand.New(rand.NewPCG(uint64(c.Seed), 0))
	queue := make([]comer, 0, c.People+c.Twins)
	for p := range c.People {
		queue = append(queue, comer{p, false})
	}
	for _, p := range r.Perm(c.People)[:c.Twins] {
		queue = append(queue, comer{p, true})
	}
	r.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	return queue
}

// enrol brings one to the end and tells the state and the code of the reason; no
// state says that nothing could be learned.
func (c *benchPopulation) enrol(ctx context.Context, d *desk, who comer) (enrol.State, string) {
	name, impression := fmt.Sprintf("Person %d", who.person), 0
	if who.again {
		name, impression = fmt.Sprintf("Another %d", who.person), 1
	}
	packet, err := d.packet(name, int64(who.person), impression, c.Level)
	if err != nil {
		return "", err.Error()
	}
	for try := 1; ; try++ {
		patience, cancel := context.WithTimeout(ctx, 2*time.Minute)
		line, err := handedIn(patience, d.api, packet)
		late := patience.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			return enrol.State(line.State), line.Code
		case late && line.State == string(enrol.Compared):
			return enrol.Doubtful, "" // it waits for one that officers must decide first
		}
		if try == 5 || ctx.Err() != nil {
			fmt.Fprintf(os.Stderr, "plinth: person %d: %v\n", who.person, err)
			return "", err.Error()
		}
		time.Sleep(time.Duration(try) * time.Second) // the packet may be sent again
	}
}

// judged compares what became of everybody with the truth.
func (c *benchPopulation) judged(queue []comer, ends []enrol.State, codes []string) outcomes {
	r := outcomes{People: c.People, Twins: c.Twins}
	byPerson := make(map[int][]int)
	for n, who := range queue {
		byPerson[who.person] = append(byPerson[who.person], n)
		switch ends[n] {
		case enrol.Notified:
			r.Numbers++
		case "", enrol.Quarantined:
			r.Failures++
		case enrol.Rejected:
			if codes[n] != codeDuplicate {
				r.Unusable++
			}
		}
	}
	for _, visits := range byPerson {
		numbers, duplicates, doubts := 0, 0, 0
		for _, n := range visits {
			switch {
			case ends[n] == enrol.Notified:
				numbers++
			case ends[n] == enrol.Doubtful:
				doubts++
			case ends[n] == enrol.Rejected && codes[n] == codeDuplicate:
				duplicates++
			}
		}
		if len(visits) == 1 {
			r.FalseMatch, r.FalseDoubts = r.FalseMatch+duplicates, r.FalseDoubts+doubts
			continue
		}
		switch {
		case numbers == 2:
			r.Missed++
		case duplicates > 0:
			r.Caught++
		case doubts > 0:
			r.Asked++
		}
	}
	return r
}
