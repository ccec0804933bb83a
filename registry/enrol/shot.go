package enrol

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/internal/keys"
)

// Shot is what is known of one sample beside its picture.
type Shot struct {
	Position biometrics.Position `json:"position"`
	Quality  int                 `json:"quality"`           // 0 to 100
	Reasons  []string            `json:"reasons,omitempty"` // why it is not better
	Device   *Device             `json:"device,omitempty"`  // that has signed it; nil: none that is believed
	PAD      *biometrics.PAD     `json:"pad,omitempty"`     // as that device says
}

// Device is a capture device that has vouched for a sample.
type Device struct {
	Provider string    `json:"provider"`
	Make     string    `json:"make"`
	Model    string    `json:"model"`
	Serial   string    `json:"serial"`
	Level    sbi.Level `json:"level"`
	Captured time.Time `json:"captured_at"`
}

func newShot(position biometrics.Position, quality biometrics.Quality, by *sbi.Evidence) Shot {
	s := Shot{Position: position, Quality: quality.Value, Reasons: quality.Reasons}
	if by != nil {
		s.Device = &Device{Provider: by.Device.DeviceProvider, Make: by.Device.Make, Model: by.Device.Model, Serial: by.Device.SerialNo, Level: by.Level, Captured: by.CapturedAt}
		s.PAD = by.PAD
	}
	return s
}

// signedBy is what the sample counts as.
func (s Shot) signedBy() string {
	if s.Device == nil {
		return itemUnsigned
	}
	return itemSigned + string(s.Device.Level)
}

// known is what is kept of an application's samples.
type known struct {
	Shots  []Shot   `json:"shots"`
	Images [][]byte `json:"images"` // digests
}

// sealShots seals what is known of the samples for the application's row.
func (o *Office) sealShots(a Application, k known) ([]byte, error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("sealing what is known of samples: %w", err)
	}
	return o.Ring.Seal(keys.Biometrics, plain, a.shotsAt())
}

func (o *Office) openShots(a Application) (k known, err error) {
	if a.shots == nil {
		return k, nil
	}
	plain, err := o.Ring.Open(keys.Biometrics, a.shots, a.shotsAt())
	if err == nil {
		err = json.Unmarshal(plain, &k)
	}
	if err != nil {
		return k, fmt.Errorf("opening what is known of samples: %w", err)
	}
	return k, nil
}

// shotsAt is what the sealed shots are bound to.
func (a Application) shotsAt() []byte {
	return append([]byte("enrol_application shots\x00"), a.ID[:]...)
}
