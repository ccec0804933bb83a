package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
)

type bulkCommand struct {
	File   string `arg:"" type:"existingfile" help:"CSV with a header; the column uin names the people (UIN or VID)."`
	Kind   string `default:"national_id" help:"Which credential."`
	Format string `default:"card-pdf" enum:"ldp_vc,dc+sd-jwt,mso_mdoc,claim169,claim169-text,card-pdf,card-svg,letter-pdf,offer" help:"What is made for each row; offer: a link for a wallet."`
	answerable
	Out     string `short:"o" required:"" type:"path" help:"Directory: a file for each row."`
	Workers int    `help:"How many rows at a time; by default two for each core."`
}

// Where a crash would hurt: a credential is made, and in nobody's hands.
var pointBulk = failpoint.Name("plinth/bulk/made")

// row is a row of the file.
type row struct {
	number int
	uin    string
}

// bulk works a list through.
type bulk struct {
	*bulkCommand
	house  *house
	run    []byte
	errand credentials.Errand
	told   chan map[string]any
}

func (c *bulkCommand) Run(ctx context.Context, settings lazySettings) error {
	f, err := os.Open(c.File)
	if err != nil {
		return wrongUse{err}
	}
	defer f.Close()
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00", c.Kind, c.Format)
	if _, err := io.Copy(sum, f); err != nil {
		return wrongUse{err}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return wrongUse{err}
	}
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return wrongUse{err}
	}
	return onHouse(ctx, settings, func(h *house) error {
		b := &bulk{bulkCommand: c, house: h, run: sum.Sum(nil), told: make(chan map[string]any, 64)}
		officer, reason, err := c.answers(ctx, h.places)
		if err != nil {
			return err
		}
		b.errand = credentials.Errand{Kind: c.Kind, Formats: []string{c.Format}, Officer: officer.ID, Reason: reason}
		if c.Format == "offer" {
			b.errand.Formats = []string{"ldp_vc"}
		}
		return b.work(ctx, f)
	})
}

// work reads rows one by one and hands them to the workers: the list may be longer
// than memory.
func (b *bulk) work(ctx context.Context, in io.Reader) error {
	group, ctx := errgroup.WithContext(ctx)
	rows := make(chan row)
	group.Go(func() error { defer close(rows); return read(ctx, in, rows) })
	workers, ended := b.Workers, make(chan struct{})
	if workers <= 0 {
		workers = 2 * runtime.GOMAXPROCS(0)
	}
	go func() {
		defer close(ended)
		for line := range b.told {
			_ = printJSON(line) // who reads it went away: the table has the outcomes
		}
	}()
	for range workers {
		group.Go(func() error {
			for r := range rows {
				if err := b.one(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	close(b.told)
	<-ended
	return err
}

func read(ctx context.Context, in io.Reader, rows chan<- row) error {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	header, err := r.Read()
	column := slices.IndexFunc(header, func(s string) bool {
		return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")), "uin")
	})
	if err != nil || column < 0 {
		return wrongUse{errors.New("the first line must name the columns, uin among them")}
	}
	for n := 1; ; n++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return wrongUse{err}
		}
		select {
		case rows <- row{n, strings.Clone(strings.TrimSpace(record[column]))}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// one deals with one row. What is wrong with the row is its outcome; what is wrong
// with us stops the work, which can be begun again.
func (b *bulk) one(ctx context.Context, r row) error {
	at := credentials.Row{Run: b.run, Number: r.number}
	outcome, err := b.house.issuer.Outcome(ctx, at)
	if err != nil || outcome != "" {
		return err
	}
	file, err := b.make(ctx, at, r)
	f := fault.Of(err)
	switch {
	case err == nil:
		outcome = "done"
	case f.Kind == fault.Internal || f.Kind == fault.Busy:
		return fmt.Errorf("row %d: %w", r.number, err)
	default:
		outcome = "refused: " + f.Code
	}
	if err := b.house.issuer.Finish(ctx, at, outcome); err != nil {
		return err
	}
	b.told <- map[string]any{"row": r.number, "outcome": outcome, "file": file}
	return nil
}

// make makes what a row is for, and writes it whole or not at all.
func (b *bulk) make(ctx context.Context, at credentials.Row, r row) (string, error) {
	e := b.errand
	e.UIN = r.uin
	var document []byte
	extension := extensions[b.Format]
	if b.Format == "offer" {
		o, err := b.house.issuer.OfferRow(ctx, at, e)
		if err != nil {
			return "", err
		}
		document, extension = []byte(o.Link+"\n"), "txt"
	} else {
		e.Row = &at
		made, err := b.house.issuer.Assisted(ctx, e)
		if err != nil {
			return "", err
		}
		document = made[b.Format]
	}
	failpoint.Hit(pointBulk)
	file := filepath.Join(b.Out, fmt.Sprintf("%06d.%s", r.number, extension))
	return file, writeWhole(file, document)
}

// writeWhole writes a file so that a crash leaves all of it or nothing.
func writeWhole(file string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".part-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
