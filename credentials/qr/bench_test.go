package qr

import (
	"math/rand/v2"
	"testing"
)

// bilingual is what a full card says: two names, two scripts, a status, a face.
func bilingual() (Identity169, Claims) {
	id, claims := amina()
	id.Photo, id.PhotoFormat, id.Unknown, id.BestFingers = nil, 0, nil, nil
	face := make([]byte, 450) // a picture cannot be compressed any more
	random := rand.New(rand.NewPCG(1, 2))
	for i := range face {
		face[i] = byte(random.Uint32())
	}
	id.Biometrics = map[int64][]Biometric{KeyFace: {{Data: face, Format: 0, SubFormat: 4}}}
	return id, claims
}

func BenchmarkSignAndEncode(b *testing.B) {
	id, claims := bilingual()
	for b.Loop() {
		if _, err := Encode(id, claims, issuerKey, []byte("1")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyFromText(b *testing.B) {
	id, claims := bilingual()
	text, err := Encode(id, claims, issuerKey, []byte("1"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, err := Decode(text)
		if err != nil || d.Verify(keys, noon) != nil {
			b.Fatal(err)
		}
	}
}
