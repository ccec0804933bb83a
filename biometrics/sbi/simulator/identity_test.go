package simulator

import (
	"crypto/rsa"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics/sbi"
)

func TestOneFolderHasOneIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".device")
	var made [3]Identity
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() {
			var err error
			if made[i], err = Own(dir, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, i := range made[1:] {
		if i.Serial() != made[0].Serial() || !i.ChipKey.(*rsa.PrivateKey).Equal(made[0].ChipKey) || i.Chain[0].CheckSignatureFrom(made[0].Chain[1]) != nil {
			t.Error("two simulators of one folder are two devices")
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 8 {
		t.Errorf("got %d files, %v; want four keys with their certificates", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v; want it to be its owner's alone", entry.Name(), info.Mode(), err)
		}
	}
	later := time.Now().AddDate(0, 0, deviceDays)
	renewed, err := Own(dir, later)
	if err != nil || renewed.Serial() == made[0].Serial() || !renewed.Chain[1].Equal(made[0].Chain[1]) || !renewed.Chain[0].NotAfter.After(later) {
		t.Errorf("got %v; want the device renewed, under the same authority", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "device.key"), []byte("a text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Own(dir, later); err == nil {
		t.Error("what is no key was taken for one, or written over")
	}
}

func TestAGivenIdentityIsThatOfItsFiles(t *testing.T) {
	dir := t.TempDir()
	own, err := Own(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	given, err := Given(filepath.Join(dir, "device.pem"), filepath.Join(dir, "device.key"))
	if err != nil || given.Serial() != own.Serial() || given.complete(sbi.L0) != nil || given.complete(sbi.L1) == nil {
		t.Errorf("got %v; want the device, without a module", err)
	}
	other, err := Given(filepath.Join(dir, "chip.pem"), filepath.Join(dir, "device.key"))
	if err != nil || other.complete(sbi.L0) == nil {
		t.Errorf("got %v; want a key with another's certificate refused", err)
	}
	for _, missing := range [][2]string{{"none.pem", "device.key"}, {"device.pem", "none.key"}, {"device.pem", "device.pem"}} {
		if _, err := Given(filepath.Join(dir, missing[0]), filepath.Join(dir, missing[1])); err == nil {
			t.Errorf("got an identity of %v", missing)
		}
	}
}
