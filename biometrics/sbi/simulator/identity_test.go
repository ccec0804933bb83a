package simulator

import (
	"crypto/rsa"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
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
