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
	st, err := readStation(filepath.Join(b.dir, stationFile))
	if err != nil {
		return nil, nil, err
	}
	api, err := signIn(ctx, b.url, st.Officer, st.Password)
	if err != nil {
		return nil, nil, err
	}
	key, public := b.house.ring.PacketKey()
	packets := make([][]byte, c.People)
	for i := range packets {
		person := fmt.Sprintf(`{"identity":{"fullName":[{"language":"eng","value":"Bench %d"}],"dateOfBirth":"1980/01/%02d"},
			"consent":{"given":true,"text":"for a benchmark","language":"eng"},"process":"NEW"}`, i, 1+i%28)
		dir := fstest.MapFS{"person.json": {Data: []byte(person)},
			"rightIndex.png": {Data: synth.PNG(synth.Print(int64(900_000+2*i), 0, 1))},
			"leftIndex.png":  {Data: synth.PNG(synth.Print(int64(900_001+2*i), 0, 1))}}
		packets[i], err = enrol.Build(dir, enrol.Seal{Station: st.ID, Key: st.key(), Officer: api.officer, PacketKeyID: key, PacketKey: public, Created: time.Now()})
		if err != nil {
			return nil, nil, err
		}
	}
	return api, packets, nil
}

// enrolled hands in a packet and waits for its number.
func enrolled(ctx context.Context, api *officeClient, packet []byte) error {
	var line submitted
	if err := api.call(ctx, "POST", "/api/v1/packets", packet, &line); err != nil {
		return err
	}
	for !settled(line.State) {
		time.Sleep(10 * time.Millisecond)
		if err := api.call(ctx, "GET", "/api/v1/applications/"+line.Application, nil, &line); err != nil {
			return err
		}
	}
	if enrol.State(line.State) != enrol.Notified {
		return fmt.Errorf("ended as %s: %s", line.State, line.Reason)
	}
	return nil
}
