package sbi_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/sbi"
)

// What is not wanted of a hand is excluded; eyes are taken one by one or both.
func TestPlanAsksEachPartOnce(t *testing.T) {
	slaps, single := sbi.Device{DeviceID: "7", DeviceSubID: []sbi.Number{1, 2, 3}}, sbi.Device{DeviceID: "7", DeviceSubID: []sbi.Number{0}}
	for name, c := range map[string]struct {
		device    sbi.Device
		kind      string
		positions []biometrics.Position
		want      []sbi.Ask
	}{
		"two hands": {slaps, sbi.Finger, []biometrics.Position{biometrics.RightIndex, biometrics.LeftThumb}, []sbi.Ask{
			{Type: sbi.Finger, Count: 1, BioSubType: []string{"Right IndexFinger"}, Exception: []string{"Right MiddleFinger", "Right RingFinger", "Right LittleFinger"}, DeviceID: "7", DeviceSubID: 2},
			{Type: sbi.Finger, Count: 1, BioSubType: []string{"Left Thumb"}, Exception: []string{"Right Thumb"}, DeviceID: "7", DeviceSubID: 3}}},
		"a single sensor": {single, sbi.Finger, []biometrics.Position{biometrics.RightIndex}, []sbi.Ask{{Type: sbi.Finger, Count: 1, BioSubType: []string{"Right IndexFinger"}, DeviceID: "7"}}},
		"both eyes":       {slaps, sbi.Iris, []biometrics.Position{biometrics.RightEye, biometrics.LeftEye}, []sbi.Ask{{Type: sbi.Iris, Count: 2, BioSubType: []string{"Left", "Right"}, DeviceID: "7", DeviceSubID: 3}}},
		"one eye":         {slaps, sbi.Iris, []biometrics.Position{biometrics.RightEye}, []sbi.Ask{{Type: sbi.Iris, Count: 1, BioSubType: []string{"Right"}, DeviceID: "7", DeviceSubID: 2}}},
		"a face":          {single, sbi.Face, []biometrics.Position{biometrics.FullFace, biometrics.LeftEye}, []sbi.Ask{{Type: sbi.Face, Count: 1, BioSubType: []string{}, DeviceID: "7"}}},
		"nothing":         {slaps, sbi.Iris, []biometrics.Position{biometrics.FullFace}, nil},
	} {
		if got := c.device.Plan(c.kind, c.positions); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAnActIsOneChain(t *testing.T) {
	s := running(t, nil)
	act := sbi.Act{HTTP: s.HTTP, Trust: trusting(t), Timeout: 10 * time.Second}
	positions := append(sbi.Parts(sbi.Finger, 1), sbi.Parts(sbi.Finger, 2)...)
	devices := must(s.Devices(t.Context(), sbi.Finger))(t)
	info, evidence, err := act.Meet(t.Context(), devices[0])
	if err != nil || info.DeviceID != devices[0].DeviceID || evidence.Device.Type != sbi.Finger {
		t.Fatalf("got %+v, %+v, %v", info, evidence, err)
	}
	previous, transactions := sbi.FirstHash(), map[string]bool{}
	for _, ask := range devices[0].Plan(sbi.Finger, positions) {
		all, err := act.Register(t.Context(), devices[0], info.Env, ask)
		if err != nil || len(all) != 4 {
			t.Fatalf("got %d, %v", len(all), err)
		}
		for _, c := range all {
			if previous, err = sbi.NextHash(previous, c.Sample); err != nil || previous != c.Hash {
				t.Errorf("%s does not follow what was captured before it", c.Position)
			}
			transactions[c.Evidence.TransactionID] = true
		}
	}
	if len(transactions) != 2 {
		t.Errorf("got %d transactions for two captures", len(transactions))
	}
	devices[0].DeviceID = "9"
	if _, _, err := act.Meet(t.Context(), devices[0]); !errors.Is(err, sbi.NewError(sbi.CodeNotFound)) {
		t.Errorf("got %v of a device that is not there", err)
	}
}
