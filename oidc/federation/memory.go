package federation

import (
	"sync"
	"time"
)

// memory keeps what came of looking up entities, for a while, so that the same
// question does not send us out again. It need not survive.
type memory struct {
	mu   sync.Mutex
	most int
	kept map[string]outcome
}

type outcome struct {
	chain Chain
	err   error
	until time.Time
}

func newMemory(most int) *memory { return &memory{most: most, kept: map[string]outcome{}} }

func (m *memory) recall(key string, now time.Time) (outcome, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.kept[key]
	return o, ok && now.Before(o.until)
}

// keep drops everything when it is full: strangers decide what is asked, and
// choosing what to keep would cost more than it saves.
func (m *memory) keep(key string, o outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= m.most {
		clear(m.kept)
	}
	m.kept[key] = o
}
