package sbi

import (
	"maps"
	"sync"
	"time"
)

const mostRemembered = 1 << 20

// Used remembers in memory what was shown, for a server of one process. The zero
// one remembers nothing yet.
type Used struct {
	Now func() time.Time // nil means time.Now

	mu    sync.Mutex
	until map[string]time.Time
}

// Once tells whether a key is new, and remembers it until then. When there is no
// room left nothing is new.
func (u *Used) Once(key string, until time.Time) bool {
	clock := u.Now
	if clock == nil {
		clock = time.Now
	}
	now := clock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil {
		u.until = make(map[string]time.Time)
	}
	if end, known := u.until[key]; known && now.Before(end) {
		return false
	}
	if len(u.until) >= mostRemembered {
		maps.DeleteFunc(u.until, func(_ string, end time.Time) bool { return !now.Before(end) })
		if len(u.until) >= mostRemembered {
			return false
		}
	}
	u.until[key] = until
	return true
}
