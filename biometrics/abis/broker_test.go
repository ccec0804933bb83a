package abis

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// broker is as much of an AMQP 1.0 broker as two queues need (OASIS AMQP 1.0, parts 1, 2
// and 5). It keeps what was not accepted when a connection ends, at its old place.
type broker struct {
	listener net.Listener
	mu       sync.Mutex
	queues   map[string][][]byte
	conns    map[*brokerConn]bool
	accepted int // messages taken off a queue
}

type brokerConn struct {
	*broker
	conn  net.Conn
	links map[uint32]*brokerLink
	sent  []delivery // not accepted yet
	next  uint32
}

type brokerLink struct {
	queue  string
	taking bool // the peer takes messages
	credit uint32
	count  uint32
}

type delivery struct {
	id    uint32
	queue string
	body  []byte
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{listener: l, queues: make(map[string][][]byte), conns: make(map[*brokerConn]bool)}
	t.Cleanup(func() { _ = l.Close(); b.drop() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c := &brokerConn{broker: b, conn: conn, links: make(map[uint32]*brokerLink)}
			b.mu.Lock()
			b.conns[c] = true
			b.mu.Unlock()
			go c.serve()
		}
	}()
	return b
}

func (b *broker) address() string { return "amqp://" + b.listener.Addr().String() }

// drop ends all connections at once, as a broker that dies does.
func (b *broker) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		_ = c.conn.Close()
	}
}

// state is how many messages a queue holds, those under way too, and how many were
// accepted of all.
func (b *broker) state(queue string) (held, accepted int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	held = len(b.queues[queue])
	for c := range b.conns {
		for _, d := range c.sent {
			if d.queue == queue {
				held++
			}
		}
	}
	return held, b.accepted
}

func (c *brokerConn) serve() {
	defer func() {
		_ = c.conn.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, d := range slices.Backward(c.sent) {
			c.queues[d.queue] = append([][]byte{d.body}, c.queues[d.queue]...)
		}
		delete(c.conns, c)
		c.deliver()
	}()
	in := bufio.NewReader(c.conn)
	for head := make([]byte, 8); ; {
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		_, _ = c.conn.Write(head)
		if head[4] == 0 { // plain AMQP
			break
		}
		c.frame(1, 0x40, nil, symbol("PLAIN"))
		if code, _, _, err := readFrame(in); err != nil || code != 0x41 {
			return
		}
		c.frame(1, 0x44, nil, uint8(0))
	}
	for {
		code, fields, payload, err := readFrame(in)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.take(code, fields, payload)
		c.mu.Unlock()
		if code == 0x18 {
			return
		}
	}
}

// take serves a performative.
func (c *brokerConn) take(code uint64, f []any, payload []byte) {
	switch code {
	case 0x10: // open
		c.frame(0, 0x10, nil, "broker")
	case 0x11: // begin
		c.frame(0, 0x11, nil, uint16(0), uint32(0), uint32(1<<20), uint32(1<<20))
	case 0x12: // attach
		l := &brokerLink{taking: f[2].(bool)}
		end := f[6]
		if l.taking {
			end = f[5]
		}
		l.queue, _ = end.([]any)[0].(string)
		c.links[f[1].(uint32)] = l
		c.frame(0, 0x12, nil, f[0], f[1], !l.taking, nil, nil, described{0x28, l.queue}, described{0x29, l.queue}, nil, nil, uint32(0))
		if !l.taking {
			c.frame(0, 0x13, nil, uint32(0), uint32(1<<20), uint32(0), uint32(1<<20), f[1], uint32(0), uint32(1000))
		}
	case 0x13: // flow
		if handle, ok := f[4].(uint32); ok && c.links[handle].taking {
			since, _ := f[5].(uint32)
			c.links[handle].credit = since + f[6].(uint32) - c.links[handle].count
			c.deliver()
		}
	case 0x14: // transfer
		l := c.links[f[0].(uint32)]
		c.queues[l.queue] = append(c.queues[l.queue], payload)
		c.frame(0, 0x15, nil, true, f[1], nil, true, described{code: 0x24})
		c.deliver()
	case 0x15: // disposition
		first := f[1].(uint32)
		last, ok := f[2].(uint32)
		if !ok {
			last = first
		}
		before := len(c.sent)
		c.sent = slices.DeleteFunc(c.sent, func(d delivery) bool { return d.id >= first && d.id <= last })
		c.accepted += before - len(c.sent)
	case 0x16, 0x17, 0x18: // detach, end, close
		c.frame(0, byte(code), nil, f...)
	}
}

// deliver gives what queues hold to whoever takes it.
func (b *broker) deliver() {
	for c := range b.conns {
		for handle, l := range c.links {
			for l.taking && l.credit > 0 && len(b.queues[l.queue]) > 0 {
				body := b.queues[l.queue][0]
				b.queues[l.queue] = b.queues[l.queue][1:]
				c.sent = append(c.sent, delivery{c.next, l.queue, body})
				c.frame(0, 0x14, body, handle, c.next, []byte{byte(c.next)}, uint32(0), false)
				c.next, l.count, l.credit = c.next+1, l.count+1, l.credit-1
			}
		}
	}
}

type (
	symbol    string
	described struct {
		code    byte
		address string
	}
)

func (c *brokerConn) frame(kind, code byte, payload []byte, fields ...any) {
	var list []byte
	for _, f := range fields {
		list = appendValue(list, f)
	}
	body := append(appendList([]byte{0, 0, 0, 0, 2, kind, 0, 0, 0, 0x53, code}, list, len(fields)), payload...)
	binary.BigEndian.PutUint32(body, uint32(len(body)))
	_, _ = c.conn.Write(body)
}

func appendList(out, list []byte, n int) []byte {
	out = binary.BigEndian.AppendUint32(append(out, 0xd0), uint32(len(list)+4))
	return append(binary.BigEndian.AppendUint32(out, uint32(n)), list...)
}

func appendValue(out []byte, v any) []byte {
	long := func(code byte, s string) []byte {
		return append(binary.BigEndian.AppendUint32(append(out, code), uint32(len(s))), s...)
	}
	switch v := v.(type) {
	case bool:
		if v {
			return append(out, 0x41)
		}
		return append(out, 0x42)
	case uint8:
		return append(out, 0x50, v)
	case uint16:
		return binary.BigEndian.AppendUint16(append(out, 0x60), v)
	case uint32:
		return binary.BigEndian.AppendUint32(append(out, 0x70), v)
	case []byte:
		return long(0xb0, string(v))
	case string:
		return long(0xb1, v)
	case symbol:
		return long(0xb3, string(v))
	case described:
		out = append(out, 0, 0x53, v.code)
		if v.address == "" {
			return append(out, 0x45)
		}
		return appendList(out, appendValue(nil, v.address), 1)
	}
	return append(out, 0x40) // null
}

func readFrame(in io.Reader) (code uint64, fields []any, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > 1<<20 || head[4] != 2 {
		return 0, nil, nil, errors.New("not a frame")
	}
	raw := make([]byte, size-8)
	if _, err := io.ReadFull(in, raw); err != nil || len(raw) < 3 {
		return 0, nil, nil, err // an empty frame says that the peer lives
	}
	v, rest := readValue(raw[3:])
	fields, _ = v.([]any)
	for len(fields) < 12 { // trailing nulls are left out
		fields = append(fields, nil)
	}
	return uint64(raw[2]), fields, rest, nil
}

// readValue reads a value; of what a broker has no use for it gives nil.
func readValue(b []byte) (any, []byte) {
	code, b := b[0], b[1:]
	if code == 0 { // described: its kind, and what it is
		_, b = readValue(b)
		return readValue(b)
	}
	size := 0
	switch code >> 4 {
	case 0x5, 0x6, 0x7, 0x8, 0x9:
		size = 1 << (code>>4 - 5)
	case 0xa, 0xc, 0xe:
		size, b = int(b[0]), b[1:]
	case 0xb, 0xd, 0xf:
		size, b = int(binary.BigEndian.Uint32(b)), b[4:]
	}
	value, rest := b[:size], b[size:]
	switch code {
	case 0x41, 0x42:
		return code == 0x41, rest
	case 0x56:
		return value[0] == 1, rest
	case 0x43:
		return uint32(0), rest
	case 0x52:
		return uint32(value[0]), rest
	case 0x70:
		return binary.BigEndian.Uint32(value), rest
	case 0xa1, 0xb1, 0xa3, 0xb3:
		return string(value), rest
	case 0x45:
		return []any{}, rest
	case 0xc0, 0xd0:
		list, width := []any{}, 1
		if code == 0xd0 {
			width = 4
		}
		for value = value[width:]; len(value) > 0; {
			var v any
			v, value = readValue(value)
			list = append(list, v)
		}
		return list, rest
	}
	return nil, rest
}
