package wallet

import (
	"sync"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

// What strangers may take of us. A network is that of web.From: a household or many.
const (
	manyErrands  = 64 // at a time
	errandsOfOne = 8  // of one network
	madeAnHour   = 5  // new wallets of one network
	madeADay     = 20
	manyNetworks = 100_000 // that are remembered
	roomForAll   = 10 << 30
)

var (
	errBusy = fault.New(fault.Busy, "Too many wallets ask at this moment. Try again in a few seconds.").Named("wallet-busy")
	errMany = fault.New(fault.Busy, "Too many new wallets were made from your network. Try again tomorrow.").Named(web.RateLimited)
	errRoom = fault.New(fault.Busy, "There is no room for more wallets at this moment. Your cards stay on this device.").Named("wallet-room")
)

// places are where errands run: some for everybody, fewer for one network, so that
// one stranger cannot take them all.
type places struct {
	all chan struct{}

	mu   sync.Mutex
	from map[string]int
}

func newPlaces() *places {
	return &places{all: make(chan struct{}, manyErrands), from: make(map[string]int)}
}

// come takes a place of a network.
func (p *places) come(from string) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.from[from] >= errandsOfOne {
		return nil, errBusy
	}
	p.from[from]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.from[from]--; p.from[from] == 0 {
			delete(p.from, from)
		}
	}, nil
}

// enter takes a place of everybody's.
func (p *places) enter() (leave func(), err error) {
	select {
	case p.all <- struct{}{}:
		return func() { <-p.all }, nil
	default:
		return nil, errBusy
	}
}

// births counts the new wallets of each network. They are counted in memory alone: no
// table tells from where a wallet was made.
type births struct {
	mu    sync.Mutex
	hour  time.Time
	day   time.Time
	hours map[string]int
	days  map[string]int
}

// count takes one; it is refused when there were enough.
func (b *births) count(from string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if hour := now.Truncate(time.Hour); b.hours == nil || !hour.Equal(b.hour) {
		b.hour, b.hours = hour, make(map[string]int)
	}
	if day := now.Truncate(24 * time.Hour); b.days == nil || !day.Equal(b.day) {
		b.day, b.days = day, make(map[string]int)
	}
	_, known := b.days[from]
	if b.hours[from] >= madeAnHour || b.days[from] >= madeADay || !known && len(b.days) >= manyNetworks {
		return errMany
	}
	b.hours[from]++
	b.days[from]++
	return nil
}
