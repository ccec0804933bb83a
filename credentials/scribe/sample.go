package scribe

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/registry"
)

// Samples are the persons whom a kind is rehearsed with: one as they are, one whose
// every text tries to be something else, and one of whom hardly anything is known.
func Samples(d *kind.Definition) []Sample {
	usual := map[string]any{
		"fullName": said("eng", "Amina Halima Okonkwo-Fernández", "ara", "أمينة حليمة أوكونكو فرنانديز"), "givenName": said("eng", "Amina Halima", "ara", "أمينة حليمة"),
		"familyName": said("eng", "Okonkwo-Fernández", "ara", "أوكونكو فرنانديز"), "dateOfBirth": "1984/02/29", "gender": said("eng", "Female", "ara", "أنثى"),
		"addressLine1": said("eng", "24 Harbour Street"), "city": said("eng", "Port Louis", "ara", "بورت لويس"), "region": said("eng", "Northern Plains"), "postalCode": "11328",
		"phone": "+23052501234", "email": "amina@example.org", "preferredLang": "eng",
	}
	hostile := map[string]any{}
	for name, value := range usual {
		if _, text := value.([]any); text {
			hostile[name] = said("eng", `"}],"admin":true,"x":["`, "fra", "${jndi:x} {{.}} <b>&amp;</b>\u2028 \\u0000 \n\t'")
		} else {
			hostile[name] = value
		}
	}
	scant := map[string]any{"fullName": said("eng", "Ada"), "dateOfBirth": "2019/12/31"}
	for _, field := range d.Fields() { // those of a schema of one's own
		if usual[field] == nil && field != "individualBiometrics" {
			usual[field], hostile[field] = said("eng", "Sample", "ara", "عينة"), said("eng", `"},{"`)
		}
	}
	face := portrait()
	return []Sample{
		{Name: "usual", Who: registry.Identity{Person: uuid.New(), Status: registry.Active, Fields: usual, Portrait: face}},
		{Name: "hostile", Who: registry.Identity{Person: uuid.New(), Status: registry.Active, Fields: hostile, Portrait: face}},
		{Name: "scant", Scant: true, Who: registry.Identity{Person: uuid.New(), Status: registry.Active, Fields: scant}},
	}
}

// said is a text in several languages, as the identity schema has it.
func said(pairs ...string) []any {
	var all []any
	for n := 0; n+1 < len(pairs); n += 2 {
		all = append(all, map[string]any{"language": pairs[n], "value": pairs[n+1]})
	}
	return all
}

// portrait is a drawn face: as much to see as in a photo, of nobody.
func portrait() []byte {
	const width, height = 240, 320
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			dx, dy := float64(x-width/2)/80, float64(y-height/2)/110
			shade := 90 + 40*float64(y)/height + 6*math.Sin(float64(x*y)/97)
			if r := dx*dx + dy*dy; r < 1 {
				shade = 200 - 60*r - 10*dx + 8*math.Sin(float64(x)/7)*math.Cos(float64(y)/9)
			}
			for _, eye := range []float64{-0.4, 0.4} {
				if ex, ey := dx-eye, dy+0.2; ex*ex*4+ey*ey*16 < 0.12 {
					shade = 40
				}
			}
			if dy > 0.35 && dy < 0.45 && math.Abs(dx) < 0.35 {
				shade = 110
			}
			picture.Set(x, y, color.RGBA{uint8(shade), uint8(shade * 0.88), uint8(shade * 0.8), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 85}); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}
