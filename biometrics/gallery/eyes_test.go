package gallery

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iris"
)

// eye is the code of an eye of nobody; in every impression some bits are others.
func eye(t testing.TB, n, impression int) iris.Code {
	t.Helper()
	texture, noise := rand.New(rand.NewPCG(uint64(n), 5)), rand.New(rand.NewPCG(uint64(n), uint64(impression)+6))
	raw := []byte("PIC1")
	var bits [32]uint64
	for i := range bits {
		one, other, third := noise.Uint64(), noise.Uint64(), noise.Uint64()
		bits[i] = texture.Uint64() ^ one&other&third // one in eight
		raw = binary.BigEndian.AppendUint64(raw, bits[i])
	}
	for range bits {
		raw = binary.BigEndian.AppendUint64(raw, math.MaxUint64)
	}
	c, err := iris.ParseCode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bothEyes(t testing.TB, n, impression int) map[biometrics.Position]iris.Code {
	t.Helper()
	return map[biometrics.Position]iris.Code{biometrics.RightEye: eye(t, 2*n, impression), biometrics.LeftEye: eye(t, 2*n+1, impression)}
}

// seeing is a gallery of sixty with fingers and eyes, and ten with eyes alone.
func seeing(t *testing.T) *Gallery {
	t.Helper()
	g := New(Config{Shards: 2})
	g.depth = depth{coarse: 8, fine: 4, moved: 3, eyes: 3, all: 5}
	for n := range 70 {
		p := Person{Eyes: bothEyes(t, n, 0)}
		if n < 60 {
			p.Fingers = somebody(t, n, 0).Fingers
		}
		g.Insert(ref(n), int64(n), p)
	}
	return g
}

func TestEyesFindWhomFingersDoNot(t *testing.T) {
	g := seeing(t)
	crossed := func(n int) map[biometrics.Position]iris.Code {
		e := bothEyes(t, n, 1)
		return map[biometrics.Position]iris.Code{biometrics.RightEye: e[biometrics.LeftEye], biometrics.LeftEye: e[biometrics.RightEye]}
	}
	for name, c := range map[string]struct {
		n     int
		probe Person
	}{
		"eyes alone":                         {7, Person{Eyes: bothEyes(t, 7, 1)}},
		"who has no fingers":                 {65, Person{Eyes: bothEyes(t, 65, 1)}},
		"who had none when enrolled":         {66, Person{Fingers: somebody(t, 66, 0).Fingers, Eyes: bothEyes(t, 66, 1)}},
		"one eye":                            {68, Person{Eyes: map[biometrics.Position]iris.Code{biometrics.LeftEye: eye(t, 2*68+1, 1)}}},
		"eyes taken for one another":         {9, Person{Eyes: crossed(9)}},
		"the same, without fingers":          {69, Person{Eyes: crossed(69)}},
		"fingers of somebody else":           {11, Person{Fingers: somebody(t, 500, 0).Fingers, Eyes: bothEyes(t, 11, 1)}},
		"one eye under the other's name":     {12, Person{Eyes: map[biometrics.Position]iris.Code{biometrics.LeftEye: eye(t, 2*12, 1)}}},
		"fingers and eyes that fit":          {13, Person{Fingers: somebody(t, 13, 1).Fingers, Eyes: bothEyes(t, 13, 1)}},
		"fingers that fit, eyes that do not": {14, Person{Fingers: somebody(t, 14, 1).Fingers, Eyes: bothEyes(t, 700, 1)}},
	} {
		found := g.Search(c.probe, math.MaxInt64, 5)
		if len(found) == 0 || found[0].Ref != ref(c.n) || g.Decide(found[0]) != Duplicate {
			t.Errorf("%s: got %+v, want person %d for a duplicate", name, found, c.n)
		}
		if len(found) > 1 && g.Decide(found[1]) != Unique {
			t.Errorf("%s: got %+v beside", name, found[1])
		}
	}
}

func TestStrangersEyesFindNobody(t *testing.T) {
	g := seeing(t)
	for n := 100; n < 130; n++ {
		if found := g.Search(Person{Eyes: bothEyes(t, n, 0)}, math.MaxInt64, 5); len(found) > 0 && g.Decide(found[0]) != Unique {
			t.Errorf("eyes of %d: got %+v, want nobody", n, found[0])
		}
	}
	if found := g.Search(Person{Eyes: map[biometrics.Position]iris.Code{biometrics.LeftEye: {}}}, math.MaxInt64, 5); len(found) != 0 {
		t.Errorf("an eye in which nothing was seen: got %+v, want nobody", found)
	}
}

func TestEyesSayTheirPartOfTheScore(t *testing.T) {
	fingers := Person{Fingers: somebody(t, 3, 0).Fingers}
	again := Person{Fingers: somebody(t, 3, 1).Fingers}
	both, bothAgain := Person{Fingers: fingers.Fingers, Eyes: bothEyes(t, 3, 0)}, Person{Fingers: again.Fingers, Eyes: bothEyes(t, 3, 1)}
	if one, more := Compare(fingers, again).Score, Compare(both, bothAgain).Score; more <= one {
		t.Errorf("got %v with eyes and %v without, want more", more, one)
	}
	if got, want := Compare(both, again).Score, Compare(fingers, again).Score; got != want {
		t.Errorf("got %v where only one has eyes, want that of the fingers: %v", got, want)
	}
}
