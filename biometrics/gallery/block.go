package gallery

import (
	"encoding/binary"
	"runtime"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
)

// blockWords is the size of a block: 4 MiB, the prints of some 450 people.
const blockWords = 1 << 19

// block is a piece of memory with the prints of some hundred people. Who searches
// holds it for a millisecond, and who removes somebody waits no longer.
type block struct {
	mu     sync.RWMutex
	people []resident
	words  []uint64
	used   int
	wiped  int // words of those who were removed
}

// resident is somebody in a block; after removal the place alone is left, and no
// reference.
type resident struct {
	ref      uuid.UUID
	place    int64
	at, size uint32
}

func newBlock() *block {
	b := &block{words: newSlab(blockWords)}
	runtime.AddCleanup(b, freeSlab, b.words)
	return b
}

// add takes somebody in and tells where; the block must have room.
func (b *block) add(ref uuid.UUID, place int64, record []uint64) (row int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	copy(b.words[b.used:], record)
	b.people = append(b.people, resident{ref, place, uint32(b.used), uint32(len(record))})
	b.used += len(record)
	return len(b.people) - 1
}

// wipe takes somebody out: their prints must not lie on in memory.
func (b *block) wipe(row int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &b.people[row]
	clear(b.words[r.at : r.at+r.size])
	b.wiped += int(r.size)
	*r = resident{}
}

// compact closes the gaps that removed people left, and tells the new rows.
func (b *block) compact(moved func(ref uuid.UUID, row int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	used, rows := uint32(0), b.people[:0]
	for _, r := range b.people {
		if r.ref == uuid.Nil {
			continue
		}
		copy(b.words[used:], b.words[r.at:r.at+r.size])
		r.at = used
		used += r.size
		moved(r.ref, len(rows))
		rows = append(rows, r)
	}
	clear(b.people[len(rows):])
	clear(b.words[used:b.used])
	b.people, b.used, b.wiped = rows, int(used), 0
}

// prints are the words of somebody whom a search may see, or nil. The block must be
// held.
func (b *block) prints(row int, before int64) []uint64 {
	r := &b.people[row]
	if r.ref == uuid.Nil || r.place >= before {
		return nil
	}
	return b.words[r.at : r.at+r.size]
}

// open is a copy of what is kept of somebody whom a search may see, and who it is.
func (b *block) open(row int, before int64) (record []uint64, ref uuid.UUID) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.prints(row, before)), b.people[row].ref
}

// A record is one slot after the other, each a word that says which (8 bits), how
// many codes (8) and how many bytes the template has (16), then codes, points (two
// in a word) and template. Eyes have no codes of minutiae.
type slot struct {
	position uint8 // of fingers as ISO/IEC 19794-2 numbers them, then the eyes
	codes    []uint64
	points   []uint64
	template []uint64
	size     int // of the template, bytes
}

// nextSlot reads the first slot of a record.
func nextSlot(words []uint64) (s slot, rest []uint64) {
	head := words[0]
	codes := int(head >> 8 & 0xff)
	s.position, s.size = uint8(head), int(head>>16&0xffff)
	words = words[1:]
	s.codes, words = words[:codes*codeWords], words[codes*codeWords:]
	s.points, words = words[:(codes+1)/2], words[(codes+1)/2:]
	s.template = words[:(s.size+7)/8]
	return s, words[len(s.template):]
}

// point is the place of a code.
func (s slot) point(i int) point { return point(s.points[i/2] >> (i % 2 * 32)) }

// bytes are those of the template.
func (s slot) bytes() []byte {
	raw := make([]byte, 0, len(s.template)*8)
	for _, w := range s.template {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	return raw[:s.size]
}

// The eyes come after the ten fingers.
const (
	rightEye = 11
	leftEye  = 12
)

var eyes = map[biometrics.Position]uint8{biometrics.RightEye: rightEye, biometrics.LeftEye: leftEye}

func head(position uint8, codes, bytes int) uint64 {
	return uint64(position) | uint64(codes)<<8 | uint64(bytes)<<16
}

// recordOf makes the record of a person.
func recordOf(p Person) (record []uint64) {
	for position, c := range p.Eyes {
		if number, ok := eyes[position]; ok {
			raw := c.Marshal()
			record = appendBytes(append(record, head(number, 0, len(raw))), raw)
		}
	}
	for position, template := range p.Fingers {
		number := position.Code()
		if number == 0 {
			continue
		}
		codes, points := encode(template)
		raw := template.Marshal()
		record = append(record, head(uint8(number), len(codes), len(raw)))
		for _, c := range codes {
			record = append(record, c[:]...)
		}
		for i := 0; i < len(points); i += 2 {
			pair := uint64(points[i])
			if i+1 < len(points) {
				pair |= uint64(points[i+1]) << 32
			}
			record = append(record, pair)
		}
		record = appendBytes(record, raw)
	}
	return record
}

func appendBytes(record []uint64, raw []byte) []uint64 {
	for ; len(raw) > 0; raw = raw[min(8, len(raw)):] {
		var word [8]byte
		copy(word[:], raw)
		record = append(record, binary.LittleEndian.Uint64(word[:]))
	}
	return record
}

// eye is the code of an eye; what is none matches nothing.
func (s slot) eye() iris.Code {
	c, err := iris.ParseCode(s.bytes())
	if err != nil {
		return iris.Code{}
	}
	return c
}

// personOf gives back whose record it is. What we wrote ourselves can be read; if
// not, it matches nothing.
func personOf(record []uint64) Person {
	p := Person{Fingers: make(map[biometrics.Position]finger.Template), Eyes: make(map[biometrics.Position]iris.Code)}
	for len(record) > 0 {
		var s slot
		s, record = nextSlot(record)
		switch s.position {
		case rightEye:
			p.Eyes[biometrics.RightEye] = s.eye()
		case leftEye:
			p.Eyes[biometrics.LeftEye] = s.eye()
		default:
			position, _ := biometrics.FingerOf(int(s.position))
			if t, err := finger.ParseTemplate(s.bytes()); err == nil {
				p.Fingers[position] = t
			}
		}
	}
	return p
}
