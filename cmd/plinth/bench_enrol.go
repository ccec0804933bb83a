package main

import (
	"context"
	"fmt"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/registry/enrol"
)

type benchEnrol struct {
	load
	People int `default:"60" help:"How many persons to make beforehand, two fingers each."`
}

func (c *benchEnrol) Run(ctx context.Context) error {
	b, err := startBench(ctx)
	if err != nil {
		return err
	}
	defer b.stop()
	api, packets, err := c.packets(ctx, b)
	if err != nil {
		return err
	}
	r, err := c.measure(ctx, "enrol", b.pid(), func(ctx context.Context, n int) error {
		if n >= len(packets) {
			return errNoMore
		}
		return enrolled(ctx, api, packets[n])
	})
	if err != nil {
		return err
	}
	return r.report()
}

// packets makes people who do not exist, with prints of nobody.
func (c *benchEnrol) packets(ctx context.Context, b *bench) (*officeClient, [][]byte, error) {
	d, err := b.desk(ctx)
	if err != nil {
		return nil, nil, err
	}
	packets := make([][]byte, c.People)
	for i := range packets {
		if packets[i], err = d.packet(fmt.Sprintf("Bench %d", i), int64(i), 0, 1); err != nil {
			return nil, nil, err
		}
	}
	return d.api, packets, nil
}

// desk is a station with an officer who is signed in.
type desk struct {
	api  *officeClient
	seal enrol.Seal
}

func (b *bench) desk(ctx context.Context) (*desk, error) {
	st, err := readStation(filepath.Join(b.dir, stationFile))
	if err != nil {
		return nil, err
	}
	api, err := signIn(ctx, b.url, st.Officer, st.Password)
	if err != nil {
		return nil, err
	}
	key, public := b.house.ring.PacketKey()
	return &desk{api, enrol.Seal{Station: st.ID, Key: st.key(), Officer: api.officer, PacketKeyID: key, PacketKey: public}}, nil
}

// packet is that of the nth person, who gives two fingers.
func (d *desk) packet(name string, n int64, impression, level int) ([]byte, error) {
	person := fmt.Sprintf(`{"identity":{"fullName":[{"language":"eng","value":%q}],"dateOfBirth":"1980/01/%02d"},
		"consent":{"given":true,"text":"for a benchmark","language":"eng"},"process":"NEW"}`, name, 1+n%28)
	seal := d.seal
	seal.Created = time.Now()
	return enrol.Build(fstest.MapFS{"person.json": {Data: []byte(person)},
		"rightIndex.png": {Data: synth.PNG(synth.Print(900_000+2*n, impression, level))},
		"leftIndex.png":  {Data: synth.PNG(synth.Print(900_001+2*n, impression, level))}}, seal)
}

// enrolled hands in a packet and waits for its number.
func enrolled(ctx context.Context, api *officeClient, packet []byte) error {
	line, err := handedIn(ctx, api, packet)
	if err != nil {
		return err
	}
	if enrol.State(line.State) != enrol.Notified {
		return fmt.Errorf("ended as %s: %s", line.State, line.Reason)
	}
	return nil
}

// handedIn hands in a packet and waits for the end.
func handedIn(ctx context.Context, api *officeClient, packet []byte) (line submitted, err error) {
	if err := api.call(ctx, "POST", "/api/v1/packets", packet, &line); err != nil {
		return line, err
	}
	for !settled(line.State) {
		time.Sleep(10 * time.Millisecond)
		if err := api.call(ctx, "GET", "/api/v1/applications/"+line.Application, nil, &line); err != nil {
			return line, err
		}
	}
	return line, nil
}
