package enrol

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

// What is counted of samples at a station.
const (
	itemRefused  = "refused"
	itemExcepted = "excepted"
	itemUnsigned = "unsigned"
	itemSigned   = "signed:"  // by a device of a level
	itemQuality  = "quality:" // of a tenth of the scale
	itemSum      = "sum"      // of all qualities
	itemReason   = "reason:"
)

// counted is one thing of one kind of sample.
type counted struct {
	modality biometrics.Modality
	item     string
}

// tally counts the samples of an application. In the database it is added to that of
// the station and the week, and nothing says who was counted.
type tally map[counted]int64

func (t tally) add(position biometrics.Position, item string) {
	t[counted{position.Modality(), item}]++
}

// quality counts how good a sample is, if that could be measured at all.
func (t tally) quality(position biometrics.Position, q biometrics.Quality) {
	if q.Value == 0 && len(q.Reasons) == 0 {
		return
	}
	t.add(position, itemQuality+strconv.Itoa(min(9, q.Value/10)))
	t[counted{position.Modality(), itemSum}] += int64(q.Value)
	for _, reason := range q.Reasons {
		t.add(position, itemReason+reason)
	}
}

// refused ends an application by its samples; they count all the same.
func (f findings) refused(a Application, err error) outcome {
	end, ok := refused(err).(failed)
	if !ok {
		return tryAgain{err}
	}
	end.also = func(ctx context.Context, tx pgx.Tx) error { return count(ctx, tx, a.ID, f.tally) }
	return end
}

// SiteQuality is how good the samples of one kind were at one station in one week.
type SiteQuality struct {
	Week     string              `json:"week"` // its Monday
	Station  uuid.UUID           `json:"station"`
	Modality biometrics.Modality `json:"modality"`
	Few      bool                `json:"few,omitempty"` // too few to be told: they would tell of persons
	Measured int64               `json:"measured"`
	Mean     float64             `json:"mean_quality"`
	Quality  [10]int64           `json:"quality"` // by tenths of the scale
	Reasons  map[string]int64    `json:"reasons,omitempty"`
	Refused  int64               `json:"refused"`
	Excepted int64               `json:"excepted"`
	Signed   map[string]int64    `json:"signed,omitempty"` // by the level of the device; "none"
}

const (
	leastTold = 10 // samples; one person gives ten fingers, so of one person nothing is told
	mostWeeks = 520
)

var errWeeks = fault.New(fault.Invalid, "Ask for a number of weeks from 1 to 520.").Named("weeks-invalid")

// Sites tells how good samples were, by station and week, the last weeks first.
func (o *Office) Sites(ctx context.Context, weeks int, officer place.Officer) ([]SiteQuality, error) {
	if officer.Role != place.Administrator {
		return nil, fault.New(fault.Denied, "Only an administrator reads the statistics. Ask one.").Named("role-missing")
	}
	if weeks < 1 || weeks > mostWeeks {
		return nil, errWeeks
	}
	all := []SiteQuality{}
	err := eachCount(ctx, o.Pool, o.Now().AddDate(0, 0, -7*weeks), func(week time.Time, station uuid.UUID, c counted, n int64) {
		row := SiteQuality{Week: week.Format(time.DateOnly), Station: station, Modality: c.modality}
		if last := len(all) - 1; last < 0 || all[last].Week != row.Week || all[last].Station != station || all[last].Modality != c.modality {
			row.Reasons, row.Signed = make(map[string]int64), make(map[string]int64)
			all = append(all, row)
		}
		all[len(all)-1].take(c.item, n)
	})
	if err != nil {
		return nil, fmt.Errorf("reading statistics: %w", err)
	}
	for i := range all {
		all[i] = all[i].told()
	}
	return all, nil
}

// take adds what was counted of one thing.
func (q *SiteQuality) take(item string, n int64) {
	kind, name, _ := strings.Cut(item, ":")
	switch kind + ":" {
	case itemQuality:
		if tenth, err := strconv.Atoi(name); err == nil && tenth >= 0 && tenth < len(q.Quality) {
			q.Quality[tenth] += n
			q.Measured += n
		}
	case itemReason:
		q.Reasons[name] += n
	case itemSigned:
		q.Signed[name] += n
	}
	switch item {
	case itemSum:
		q.Mean = float64(n)
	case itemUnsigned:
		q.Signed["none"] += n
	case itemRefused:
		q.Refused += n
	case itemExcepted:
		q.Excepted += n
	}
}

// told is what may be told.
func (q SiteQuality) told() SiteQuality {
	if q.Measured+q.Excepted <= leastTold {
		return SiteQuality{Week: q.Week, Station: q.Station, Modality: q.Modality, Few: true}
	}
	if q.Measured > 0 {
		q.Mean = math.Round(10*q.Mean/float64(q.Measured)) / 10
	}
	return q
}
