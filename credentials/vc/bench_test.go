package vc

import (
	"crypto/elliptic"
	"syscall"
	"testing"
	"time"
)

// perCPUSecond reports how often a second of processor time would do it: what else
// the machine does at the time must not count.
func perCPUSecond(b *testing.B, once func() error) {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	from := spent()
	b.ReportAllocs()
	for b.Loop() {
		if err := once(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/(spent()-from).Seconds(), "ops/cpu-s")
}

func BenchmarkSignAny(b *testing.B) {
	document := signed(b, amina())
	perCPUSecond(b, func() error {
		draft, err := ParseDraft(document, Contexts{})
		if err == nil {
			_, err = draft.Sign(issuerKey, issuerVM, noon)
		}
		return err
	})
}

func BenchmarkVerifyAny(b *testing.B) {
	document := signed(b, amina())
	perCPUSecond(b, func() error {
		_, err := Verify(b.Context(), document, options())
		return err
	})
}

func BenchmarkSignShape(b *testing.B) {
	form, err := NewShape(amina())
	if err != nil {
		b.Fatal(err)
	}
	d := amina()
	perCPUSecond(b, func() error {
		draft, err := form.Draft(d)
		if err == nil {
			_, err = draft.Sign(issuerKey, issuerVM, noon)
		}
		return err
	})
}

func BenchmarkSignAnyP256(b *testing.B) {
	key := p256Key(b, elliptic.P256())
	document := signed(b, amina())
	perCPUSecond(b, func() error {
		draft, err := ParseDraft(document, Contexts{})
		if err == nil {
			_, err = draft.Sign(key, issuerVM, noon)
		}
		return err
	})
}

func BenchmarkVerifyDisclosed(b *testing.B) {
	shown, err := Disclose(disclosable(b, amina()), Contexts{}, "/credentialSubject/birthDate")
	if err != nil {
		b.Fatal(err)
	}
	o := optionsFor(p256Key(b, elliptic.P256()).Public())
	perCPUSecond(b, func() error {
		_, err := Verify(b.Context(), shown, o)
		return err
	})
}

func BenchmarkVerifyPresentation(b *testing.B) {
	document := presented(b, holderKey, asIs)
	perCPUSecond(b, func() error {
		_, err := VerifyPresentation(b.Context(), document, asked())
		return err
	})
}
