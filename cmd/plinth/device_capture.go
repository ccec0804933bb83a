package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

type captureDeviceCommand struct {
	Out       string        `short:"o" required:"" type:"path" help:"CBEFF document to write; as biometrics.xml in an enrolment directory, plinth enrol takes it."`
	Trust     []string      `required:"" type:"existingfile" help:"Certificates of the providers whose devices are believed."`
	ChipTrust []string      `type:"existingfile" help:"Certificates of the providers whose trust modules are believed (level L1)."`
	Position  []string      `help:"What to capture, such as rightIndex; default: all that the devices can."`
	Exception []string      `help:"What the person does not have, such as leftThumb."`
	Device    string        `help:"Address of the device's service; default: all that are found."`
	Env       string        `help:"Environment that devices must be registered in; default: whichever they say."`
	Score     float64       `default:"60" help:"Quality to reach, 0 to 100."`
	Tries     int           `default:"3" help:"How often to capture again while the quality is not reached."`
	Timeout   time.Duration `default:"30s" help:"How long a capture may take."`
}

// session is what one run of the command works with.
type session struct {
	*captureDeviceCommand
	act     *sbi.Act
	wanted  []biometrics.Position
	missing []biometrics.Position // what the person does not have
	named   bool                  // the positions were asked for one by one
	records []cbeff.Record
}

func (c *captureDeviceCommand) Run(ctx context.Context) error {
	s, err := c.session()
	if err != nil {
		return wrongUse{err}
	}
	devices, err := c.devices(ctx, s.act.HTTP)
	if err != nil {
		return err
	}
	taken := make(map[string]bool)
	for _, d := range devices {
		id, err := d.Identity()
		if err != nil || d.Purpose != sbi.Registration || taken[id.Type] {
			continue // the first of a kind is taken
		}
		taken[id.Type] = true
		if d.DeviceStatus != sbi.Ready {
			fmt.Fprintf(os.Stderr, "plinth: the device for %s at %s is passed over: it says %.20q\n", id.Type, d.Base, d.DeviceStatus)
			continue
		}
		if err := s.with(ctx, d, id.Type); err != nil {
			return err
		}
	}
	if len(taken) == 0 {
		return fault.New(fault.NotFound, "No device for registration answers. Start its service, then see plinth device list.")
	}
	return s.finish()
}

func (c *captureDeviceCommand) session() (*session, error) {
	s := &session{captureDeviceCommand: c, named: len(c.Position) > 0}
	roots, err := pool(c.Trust)
	if err != nil {
		return nil, err
	}
	chips, err := pool(c.ChipTrust)
	if err != nil {
		return nil, err
	}
	if s.missing, err = parsePositions(c.Exception); err != nil {
		return nil, err
	}
	if s.wanted, err = parsePositions(c.Position); err != nil {
		return nil, err
	}
	if !s.named {
		s.wanted = slices.Concat(sbi.Parts(sbi.Finger, 0), sbi.Parts(sbi.Iris, 0), sbi.Parts(sbi.Face, 0))
	}
	s.wanted = slices.DeleteFunc(s.wanted, func(p biometrics.Position) bool { return slices.Contains(s.missing, p) })
	if c.Score < 0 || c.Score > 100 || c.Tries < 1 || c.Timeout <= 0 {
		return nil, errors.New("--score is 0 to 100, --tries at least 1, --timeout more than nothing")
	}
	client := web.NewClient(web.ClientConfig{Timeout: c.Timeout + 30*time.Second, Limit: 128 << 20, Private: true})
	s.act = &sbi.Act{HTTP: client, Timeout: c.Timeout, Trust: sbi.Trust{Roots: roots, Chips: chips, Purpose: sbi.Registration, Env: c.Env}}
	return s, nil
}

func pool(files []string) (*x509.CertPool, error) {
	all := x509.NewCertPool()
	for _, file := range files {
		certificates, err := readCertificates(file)
		if err != nil {
			return nil, err
		}
		for _, certificate := range certificates {
			all.AddCert(certificate)
		}
	}
	return all, nil
}

func parsePositions(texts []string) (all []biometrics.Position, err error) {
	for _, text := range texts {
		p, err := biometrics.ParsePosition(text)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (c *captureDeviceCommand) devices(ctx context.Context, client *http.Client) ([]sbi.Device, error) {
	if c.Device != "" {
		return sbi.Service{Base: c.Device, HTTP: client}.Devices(ctx, sbi.AnyKind)
	}
	return sbi.Discover(ctx, client, sbi.AnyKind)
}

// with captures all that one device can.
func (s *session) with(ctx context.Context, d sbi.Device, kind string) error {
	plan := d.Plan(kind, s.wanted)
	if len(plan) == 0 {
		return nil
	}
	info, evidence, err := s.act.Meet(ctx, d)
	if err != nil {
		return distrusted(d, err)
	}
	if evidence.Device.Type != kind {
		return distrusted(d, sbi.ErrIdentity)
	}
	for _, ask := range plan {
		ask.RequestedScore = sbi.Number(s.Score)
		best, tries, err := s.best(ctx, d, info.Env, ask)
		if err != nil {
			return distrusted(d, err)
		}
		for _, captured := range best {
			if err := s.keep(captured, tries); err != nil {
				return err
			}
		}
	}
	return nil
}

func distrusted(d sbi.Device, err error) error {
	return fault.New(fault.Invalid, fmt.Sprintf("The device at %s is not believed, or gave nothing: %v. See --trust and plinth device list.", d.Base, err)).Because(err)
}

// best captures until the quality is reached, and gives the best of all tries. That
// a part of the body was not seen is no error: finish says what is not there.
func (s *session) best(ctx context.Context, d sbi.Device, env string, ask sbi.Ask) (best []sbi.Captured, tries int, err error) {
	for tries = 1; ; tries++ {
		fmt.Fprintf(os.Stderr, "plinth: now capturing: %s\n", cmp.Or(strings.Join(ask.BioSubType, ", "), ask.Type))
		captured, err := s.act.Register(ctx, d, env, ask)
		if err != nil && !errors.Is(err, sbi.NewError(sbi.CodeNoObject)) {
			return nil, tries, err
		}
		if len(captured) > len(best) || len(captured) == len(best) && mean(captured) > mean(best) {
			best = captured
		}
		if len(captured) == 0 || mean(best) >= s.Score || tries == s.Tries {
			return best, tries, nil
		}
	}
}

func mean(all []sbi.Captured) float64 {
	sum := 0.
	for _, c := range all {
		sum += c.Evidence.Quality
	}
	return sum / float64(max(1, len(all)))
}

func (s *session) keep(c sbi.Captured, tries int) error {
	record, err := c.Record()
	if err != nil {
		return err
	}
	record.Others["RETRIES"] = strconv.Itoa(tries)
	s.records = append(s.records, record)
	return printJSON(map[string]any{"position": c.Position, "quality": c.Evidence.Quality, "tries": tries, "level": c.Evidence.Level, "provider": c.Evidence.Device.DeviceProvider, "serial": c.Evidence.Device.SerialNo})
}

// finish writes the document and says what is not in it.
func (s *session) finish() error {
	if len(s.records) == 0 {
		return fault.New(fault.NotFound, "No device has captured anything. Is there a finger on it?")
	}
	for _, p := range s.missing {
		s.records = append(s.records, cbeff.Record{Position: p, Exception: true, Quality: -1, Level: "Raw", Purpose: "Enroll",
			Format: map[biometrics.Modality]int{biometrics.Finger: cbeff.FingerImage, biometrics.Iris: cbeff.IrisImage, biometrics.Face: cbeff.FaceImage}[p.Modality()]})
	}
	document, err := cbeff.Write(s.records)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.Out, document, 0o600); err != nil {
		return err
	}
	short := false
	for _, p := range s.wanted {
		if !slices.ContainsFunc(s.records, func(r cbeff.Record) bool { return r.Position == p }) {
			fmt.Fprintf(os.Stderr, "plinth: %s was not captured\n", p)
			short = true
		}
	}
	if short && s.named {
		return exit(exitNo)
	}
	return nil
}
