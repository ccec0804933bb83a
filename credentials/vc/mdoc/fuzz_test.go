package mdoc

import (
	"crypto/elliptic"
	"errors"
	"testing"
)

// known are the errors that bad input may give.
var known = []error{ErrMalformed, ErrTooLarge, ErrUnsupported, ErrSignature, ErrDigest, ErrDocType, ErrDeviceSignature, ErrDeviceMAC,
	ErrUnauthorized, ErrDeclined, ErrUntrusted, ErrProfile, ErrNotYetValid, ErrExpired}

func mustBeKnown(t *testing.T, err error) {
	t.Helper()
	for _, k := range known {
		if errors.Is(err, k) {
			return
		}
	}
	if err != nil {
		t.Errorf("got %v, want one of the errors of the package", err)
	}
}

func FuzzVerify(f *testing.F) {
	i, o := issuer(f, key(f, elliptic.P256()))
	good := issue(f, i, draft(key(f, elliptic.P256()).Public()))
	f.Add(good)
	f.Add([]byte{0xa1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := Verify(raw, o)
		mustBeKnown(t, err)
		if v.Document == nil {
			return
		}
		// Whatever verifies can be shown.
		if _, err := v.Present(map[string][]string{}, session(t)); err != nil {
			t.Errorf("got %v, want a presentation", err)
		}
	})
}

func FuzzVerifyResponse(f *testing.F) {
	holder := key(f, elliptic.P256())
	i, o := issuer(f, key(f, elliptic.P256()))
	f.Add(present(f, issue(f, i, draft(holder.Public())), holder, session(f), "family_name"))
	s := session(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := VerifyResponse(raw, s, o)
		mustBeKnown(t, err)
	})
}

func BenchmarkIssue13(b *testing.B) {
	i, _ := issuer(b, key(b, elliptic.P256()))
	d := draft(key(b, elliptic.P256()).Public())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Issue(d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify13(b *testing.B) {
	i, o := issuer(b, key(b, elliptic.P256()))
	raw := issue(b, i, draft(key(b, elliptic.P256()).Public()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(raw, o); err != nil {
			b.Fatal(err)
		}
	}
}
