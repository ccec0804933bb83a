package enrol

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

// contents is what the packet of an applicant holds.
func (w *world) contents(t testing.TB, a applicant) contents {
	t.Helper()
	e, err := unpack(w.packet(t, a))
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.open(e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// header is that of a packet of the world's station.
func (w *world) header() header {
	return header{Packet: uuid.New(), Station: w.station.Station, Officer: w.station.Officer, Created: time.Now().Unix(), KeyID: w.station.PacketKeyID}
}

// forge seals anything under any header, and signs it.
func (w *world) forge(t testing.TB, h header, plain []byte) []byte {
	t.Helper()
	e := envelope{header: h}
	var err error
	if e.raw, err = encoder.Marshal(h); err != nil {
		t.Fatal(err)
	}
	if e.sealed, err = keys.SealTo(w.station.PacketKey, plain, e.info()); err != nil {
		t.Fatal(err)
	}
	return w.sign(e)
}

func (w *world) sign(e envelope) []byte {
	e.signature = ed25519.Sign(w.station.Key, e.signed())
	return e.pack()
}

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := encoder.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// kept counts what is in every table and in the blob store.
func (w *world) kept(t testing.TB) map[string]int {
	t.Helper()
	rows, err := w.Pool.Query(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public'
		AND (tablename ~ '^(enrol|registry|audit|notify|key)_' OR tablename = 'river_job')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 10 {
		t.Fatalf("got tables %v, %v", tables, err)
	}
	all := make(map[string]int)
	for _, table := range tables {
		all[table] = w.count(t, `SELECT count(*) FROM `+table)
	}
	blobs, err := w.Blob.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all["blobs"] = len(blobs)
	return all
}

// unchanged fails when something was kept since.
func (w *world) unchanged(t testing.TB, before map[string]int) {
	t.Helper()
	if after := w.kept(t); !maps.Equal(before, after) {
		t.Errorf("got %v kept, want %v as before", after, before)
	}
}

// refused hands in a packet that must be refused for a reason.
func (w *world) refused(t testing.TB, what string, packet []byte, want ...*fault.Fault) {
	t.Helper()
	a, err := w.Receive(t.Context(), packet, w.station.Officer)
	f := fault.Of(err)
	for _, one := range want {
		if f != nil && f.Code == one.Code && f.Kind == one.Kind && a.ID == uuid.Nil {
			return
		}
	}
	t.Errorf("%s: got %v and application %s, want %s", what, err, a.ID, want[0].Code)
}

func TestATruncatedPacketLeavesNothing(t *testing.T) {
	w := newWorld(t)
	packet := w.packet(t, newApplicant(1, 0))
	before := w.kept(t)
	for n := range packet {
		if n < 400 || n%1009 == 0 || n > len(packet)-20 {
			w.refused(t, fmt.Sprintf("the first %d of %d bytes", n, len(packet)), packet[:n], errTruncated)
		}
	}
	w.refused(t, "a byte too many", append(packet[:len(packet):len(packet)], 0), errTampered)
	w.unchanged(t, before)
}

func TestAFlippedBitAnywhereLeavesNothing(t *testing.T) {
	w := newWorld(t)
	packet := w.packet(t, newApplicant(1, 0))
	e, err := unpack(packet)
	if err != nil {
		t.Fatal(err)
	}
	before := w.kept(t)
	signature := frame + len(e.raw)
	sealed := signature + ed25519.SignatureSize
	for at := range packet {
		if at >= sealed && at < len(packet)-32 && (at-sealed)%997 != 0 {
			continue
		}
		var want []*fault.Fault
		switch {
		case at < len(magic):
			want = []*fault.Fault{errNoPacket}
		case at == len(magic):
			want = []*fault.Fault{errVersion}
		case at < frame: // the lengths
			want = []*fault.Fault{errTruncated, errTampered, errTooLarge, errNoPacket}
		case at < signature:
			want = []*fault.Fault{errTampered, errNoPacket, errStranger}
		default:
			want = []*fault.Fault{errTampered}
		}
		for _, bit := range []byte{1, 0x80} {
			flipped := append([]byte(nil), packet...)
			flipped[at] ^= bit
			w.refused(t, fmt.Sprintf("bit %#x of byte %d", bit, at), flipped, want...)
		}
	}
	w.unchanged(t, before)
}

func TestWhatIsRefusedAtTheDoorLeavesNothing(t *testing.T) {
	w := newWorld(t)
	good := encoded(t, w.contents(t, newApplicant(1, 0)))
	shut := w.addStation(t, "a station that is shut out")
	if err := w.places.DisableStation(t.Context(), shut.Station); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*header)) []byte {
		h := w.header()
		change(&h)
		return w.forge(t, h, good)
	}
	by := func(s Seal) []byte {
		s.Officer = w.station.Officer
		packet, err := Build(newApplicant(1, 0).dir(t), s)
		if err != nil {
			t.Fatal(err)
		}
		return packet
	}
	pretender, stranger, elsewhere := shut, shut, w.station
	pretender.Station = w.station.Station
	stranger.Station = uuid.New()
	other := newWorld(t)
	elsewhere.PacketKeyID, elsewhere.PacketKey = other.Ring.PacketKey()
	misnamed := w.station
	misnamed.PacketKey = elsewhere.PacketKey
	moved, err := unpack(w.forge(t, w.header(), good))
	if err != nil {
		t.Fatal(err)
	}
	moved.raw = encoded(t, w.header()) // signed anew, but the contents were sealed for another header
	before := w.kept(t)
	for what, test := range map[string]struct {
		packet []byte
		want   *fault.Fault
	}{
		"nothing that is a packet":   {[]byte(strings.Repeat("GET / HTTP/1.1 ", 30)), errNoPacket},
		"an unknown station":         {by(stranger), errStranger},
		"another station's key":      {by(pretender), errTampered},
		"a station that is shut out": {by(shut), errDisabled},
		"another officer":            {with(func(h *header) { h.Officer = uuid.New() }), errOfficer},
		"no officer":                 {with(func(h *header) { h.Officer = uuid.Nil }), errNoPacket},
		"no id":                      {with(func(h *header) { h.Packet = uuid.Nil }), errNoPacket},
		"a day and an hour ahead":    {with(func(h *header) { h.Created = time.Now().Add(25 * time.Hour).Unix() }), errFuture},
		"the end of all time":        {with(func(h *header) { h.Created = 1<<62 - 1 }), errFuture},
		"91 days old":                {with(func(h *header) { h.Created = time.Now().AddDate(0, 0, -91).Unix() }), errStale},
		"before all time":            {with(func(h *header) { h.Created = -1 << 62 }), errStale},
		"a key that is not ours":     {with(func(h *header) { h.KeyID = "packets-of-others" }), errForeign},
		"a foreign server's key":     {by(elsewhere), errForeign},
		"a foreign key by our name":  {by(misnamed), errUnopened},
		"contents of another header": {w.sign(moved), errUnopened},
		"more than 20 MB":            {append(by(w.station), make([]byte, MaxPacket)...), errTooLarge},
		"a length of 4 GB":           {append([]byte(magic+"1\x00\x00\x00\x80\xff\xff\xff\xff"), make([]byte, 400)...), errTooLarge},
		"a header of 64 kB":          {append([]byte(magic+"1\x00\x01\x00\x00\x00\x00\x00\x00"), make([]byte, 400)...), errNoPacket},
	} {
		w.refused(t, what, test.packet, test.want)
	}
	w.unchanged(t, before)
}

func TestContentsThatCannotBeReadLeaveNothing(t *testing.T) {
	w := newWorld(t)
	good := w.contents(t, newApplicant(1, 0))
	one := sample{Position: "leftThumb", Format: "png", Data: []byte("x")}
	change := func(do func(*contents)) []byte {
		c := good
		c.Samples, c.Documents = append([]sample(nil), good.Samples...), nil
		do(&c)
		return encoded(t, c)
	}
	many := make([]sample, 33)
	before := w.kept(t)
	for what, test := range map[string]struct {
		plain []byte
		want  *fault.Fault
	}{
		"nothing":                    {nil, errUnopened},
		"text":                       {[]byte("{}"), errUnopened},
		"another form of the same":   {append([]byte{0xbf}, append(encoded(t, good)[1:], 0xff)...), errUnopened},
		"a field that is unknown":    {encoded(t, map[int]any{1: []byte("{}"), 9: 1}), errUnopened},
		"something after the end":    {append(encoded(t, good), 0), errUnopened},
		"a position twice":           {change(func(c *contents) { c.Samples = append(c.Samples, c.Samples[0]) }), errUnopened},
		"positions out of order":     {change(func(c *contents) { c.Samples = append(c.Samples, one) }), errUnopened},
		"a position that is none":    {change(func(c *contents) { c.Samples[0].Position = "tail" }), errUnopened},
		"an image of unknown format": {change(func(c *contents) { c.Samples[0].Format = "../png" }), errUnopened},
		"a document without a name":  {change(func(c *contents) { c.Documents = []document{{Format: "pdf"}} }), errUnopened},
		"a document of unknown form": {change(func(c *contents) { c.Documents = []document{{Name: "proofOfAge", Format: "exe"}} }), errUnopened},
		"33 images":                  {change(func(c *contents) { c.Samples = many }), errUnopened},
		"21 images":                  {change(func(c *contents) { c.Samples = many[:21] }), errTooLarge},
		"a large person.json":        {change(func(c *contents) { c.Person = make([]byte, maxPerson+1) }), errTooLarge},
		"a large image":              {change(func(c *contents) { c.Samples[0].Data = make([]byte, maxSample+1) }), errTooLarge},
		"a large document": {change(func(c *contents) {
			c.Documents = []document{{Name: "proofOfAge", Format: "pdf", Data: make([]byte, maxDocument+1)}}
		}), errTooLarge},
	} {
		w.refused(t, what, w.forge(t, w.header(), test.plain), test.want)
	}
	w.unchanged(t, before)
}

func TestAReplayedPacketHasOneEffect(t *testing.T) {
	w := newWorld(t)
	h := w.header()
	packet := w.forge(t, h, encoded(t, w.contents(t, newApplicant(1, 0))))
	first := w.receive(t, packet)
	before := w.kept(t)
	if again := w.receive(t, packet); again.ID != first.ID || again.State != first.State {
		t.Errorf("got %s (%s), want %s (%s)", again.ID, again.State, first.ID, first.State)
	}
	w.refused(t, "another packet with this id", w.forge(t, h, encoded(t, w.contents(t, newApplicant(2, 0)))), errReplayed)
	if _, err := w.Receive(t.Context(), packet, uuid.New()); fault.Of(err).Code != errOfficer.Code {
		t.Errorf("got %v for another officer who replays it, want %s", err, errOfficer.Code)
	}
	if err := w.places.DisableStation(t.Context(), w.station.Station); err != nil {
		t.Fatal(err)
	}
	before["audit_entry"]++ // of the station
	before["audit_pending"]++
	if again, err := w.Receive(t.Context(), packet, w.station.Officer); err != nil || again.ID != first.ID {
		t.Errorf("got %s, %v after the station was shut out; want %s as before", again.ID, err, first.ID)
	}
	w.unchanged(t, before)
}

func TestAnAcceptedPacketIsKeptWhole(t *testing.T) {
	w := newWorld(t)
	for what, created := range map[string]time.Time{"a clock 23 hours ahead": time.Now().Add(23 * time.Hour), "a packet of 89 days ago": time.Now().AddDate(0, 0, -89)} {
		h := w.header()
		h.Created = created.Unix()
		packet := w.forge(t, h, encoded(t, w.contents(t, newApplicant(1, 0))))
		a := w.receive(t, packet)
		kept, err := w.Blob.Get(t.Context(), blobKey(a.digest))
		if err != nil || string(kept) != string(packet) {
			t.Errorf("%s: got %d bytes, %v; want the %d that were sent", what, len(kept), err, len(packet))
		}
	}
}
