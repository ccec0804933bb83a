package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc/login"
)

type deviceCommand struct {
	Serve   serveDeviceCommand   `cmd:"" default:"withargs" help:"Be a capture device that serves the images of a folder."`
	List    listDevicesCommand   `cmd:"" help:"Find the capture devices of this machine."`
	Capture captureDeviceCommand `cmd:"" help:"Capture for an enrolment with any devices, into a biometrics.xml."`
}

type serveDeviceCommand struct {
	Dir               string        `arg:"" type:"existingdir" help:"Images named by position: rightIndex.png, leftEye.jp2, face.jpg."`
	Listen            string        `help:"Address; default: 127.0.0.1 and the first free port from 4501."`
	Modality          string        `enum:"all,finger,iris,face" default:"all" help:"finger, iris, face or all."`
	Level             string        `enum:",L0,L1" default:"" help:"L0 or L1; default: L0 for registration, L1 for authentication."`
	Purpose           string        `enum:"Registration,Auth" default:"Registration" help:"Registration or Auth."`
	Env               string        `enum:"Developer,Staging,Pre-Production" default:"Developer" help:"Developer, Staging or Pre-Production."`
	Certificate       string        `type:"existingfile" help:"PEM of the device and its issuers; default: self-made."`
	Key               string        `type:"existingfile" help:"PEM of the device's RSA key; default: self-made."`
	ServerCertificate string        `type:"existingfile" help:"Certificate of the server to seal to, for Auth."`
	Server            string        `help:"Address of the server to seal to, for Auth: its certificate is fetched from there."`
	Exposure          time.Duration `help:"How long a capture takes."`
	Origin            string        `help:"Only pages of this origin may use the device; default: any."`
}

// ownKeys is where a simulator keeps what it made itself, in its folder.
const ownKeys = ".device"

func (c *serveDeviceCommand) Run(ctx context.Context) error {
	device, err := c.device(ctx)
	if err != nil {
		return wrongUse{err}
	}
	ln, err := c.listen()
	if err != nil {
		return wrongUse{err}
	}
	if err := c.announce(ln, device); err != nil {
		return err
	}
	return web.Serve(ctx, ln, device, time.Second)
}

func (c *serveDeviceCommand) device(ctx context.Context) (*simulator.Simulator, error) {
	config := simulator.Config{Pictures: os.DirFS(c.Dir), Level: sbi.Level(c.Level), Purpose: c.Purpose, Env: c.Env, Exposure: c.Exposure, Origin: c.Origin,
		Kinds: map[string][]string{"all": {sbi.Finger, sbi.Iris, sbi.Face}, "finger": {sbi.Finger}, "iris": {sbi.Iris}, "face": {sbi.Face}}[c.Modality]}
	if c.Level == "" {
		config.Level = map[string]sbi.Level{sbi.Registration: sbi.L0, sbi.Authentication: sbi.L1}[c.Purpose]
	}
	if (c.Certificate == "") != (c.Key == "") {
		return nil, errors.New("--certificate and --key go together")
	}
	var err error
	if config.Identity, err = simulator.Own(filepath.Join(c.Dir, ownKeys), time.Now()); err != nil {
		return nil, err
	}
	if c.Certificate != "" {
		given, err := simulator.Given(c.Certificate, c.Key)
		if err != nil {
			return nil, err
		}
		config.Identity.Key, config.Identity.Chain = given.Key, given.Chain
	}
	if config.SealTo, err = c.recipient(ctx); err != nil {
		return nil, err
	}
	return simulator.New(config)
}

// recipient is the certificate to seal to; nil: none is named.
func (c *serveDeviceCommand) recipient(ctx context.Context) (*x509.Certificate, error) {
	switch {
	case c.Server != "" && c.ServerCertificate != "":
		return nil, errors.New("give --server or --server-certificate, not both")
	case c.Server != "":
		raw, err := fetch(ctx, web.NewClient(web.ClientConfig{Private: true}), strings.TrimRight(c.Server, "/")+login.Page+"/device/certificate")
		if err != nil {
			return nil, fmt.Errorf("fetching the certificate of %s: %w", c.Server, err)
		}
		certificates, err := sbi.ParseCertificates(raw)
		if err != nil {
			return nil, fmt.Errorf("the certificate of %s: %w", c.Server, err)
		}
		return certificates[0], nil
	case c.ServerCertificate != "":
		certificates, err := readCertificates(c.ServerCertificate)
		if err != nil {
			return nil, err
		}
		return certificates[0], nil
	}
	return nil, nil
}

func readCertificates(file string) ([]*x509.Certificate, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	certificates, err := sbi.ParseCertificates(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return certificates, nil
}

func (c *serveDeviceCommand) listen() (net.Listener, error) {
	if c.Listen != "" {
		return net.Listen("tcp", c.Listen)
	}
	for port := sbi.FirstPort; port <= sbi.LastPort; port++ {
		if ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return ln, nil
		}
	}
	return nil, fmt.Errorf("no port from %d to %d is free; name one with --listen", sbi.FirstPort, sbi.LastPort)
}

// announce says where the device is, and what it takes to believe it.
func (c *serveDeviceCommand) announce(ln net.Listener, s *simulator.Simulator) error {
	line := map[string]any{"service": "http://" + ln.Addr().String(), "provider": sbi.Simulator, "serial": s.Identity.Serial(), "level": s.Level, "purpose": s.Purpose, "env": s.Env}
	if c.Certificate == "" {
		line["provider_ca"] = filepath.Join(c.Dir, ownKeys, simulator.ProviderFile)
	}
	if s.Level == sbi.L1 {
		line["chip_ca"] = filepath.Join(c.Dir, ownKeys, simulator.ChipsFile)
	}
	fmt.Fprintln(os.Stderr, "plinth: this is a simulated device, and says so: its provider is "+sbi.Simulator+". Whoever is to believe it in a trial must trust provider_ca (and chip_ca at level L1); never do that in production.")
	if at, ok := ln.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		fmt.Fprintln(os.Stderr, "plinth: it listens beyond this machine: whoever reaches it gets the images.")
	}
	return printJSON(line)
}

type listDevicesCommand struct {
	Type string `enum:"Biometric Device,Finger,Iris,Face" default:"Biometric Device" help:"Finger, Iris or Face; default: all."`
}

func (c *listDevicesCommand) Run(ctx context.Context) error {
	devices, err := sbi.Discover(ctx, web.NewClient(web.ClientConfig{Private: true}), c.Type)
	if err != nil {
		return err
	}
	for _, d := range devices {
		id, err := d.Identity()
		if err != nil {
			continue
		}
		if err := printJSON(map[string]any{"service": d.Base, "device": d.DeviceID, "type": id.Type, "subtype": id.DeviceSubType, "status": d.DeviceStatus,
			"level": d.Certification, "purpose": d.Purpose, "provider": id.DeviceProvider, "make": id.Make, "model": id.Model, "serial": id.SerialNo}); err != nil {
			return err
		}
	}
	if len(devices) == 0 {
		fmt.Fprintf(os.Stderr, "plinth: no device answers on 127.0.0.1, ports %d to %d. Is its service running?\n", sbi.FirstPort, sbi.LastPort)
		return exit(exitNo)
	}
	return nil
}
