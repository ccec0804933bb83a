package registry

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testdata finds data of others by TESTDATA_DIR: missing, it fails in CI.
func testdata(t *testing.T, path string) string {
	t.Helper()
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skipf("skipped: TESTDATA_DIR is not set, so there is no %s", path)
	}
	return filepath.Join(dir, path)
}

func TestUINFiltersAgreeWithThePublishedOnes(t *testing.T) {
	f, err := os.Open(testdata(t, "mosip-samples/vectors/uin-filter-vectors.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if _, err := ParseUIN(row[0]); (err == nil) != (row[1] == "valid") {
			t.Errorf("%s (%s): got %v, want %s", row[0], row[2], err, row[1])
		}
	}
}

func TestUINFilters(t *testing.T) {
	for s, want := range map[string]bool{
		"2753819640": verhoeffValid("2753819640"), "12": false, "": false, "27538196401234": false, "275381964a": false, "٢٧٥٣٨١٩٦٤٠": false,
	} {
		if _, err := ParseUIN(s); (err == nil) != want {
			t.Errorf("%s: got %v, want %v", s, err, want)
		}
	}
	u, err := drawUIN(10)
	if err != nil {
		t.Fatal(err)
	}
	spaced := u.digits[:4] + " " + u.digits[4:7] + "-" + u.digits[7:]
	if got, err := ParseUIN(spaced); err != nil || got != u {
		t.Errorf("with blanks: got %v %v, want %v", got, err, u)
	}
}

func TestDrawnNumbersPassTheFilters(t *testing.T) {
	for digits := MinUINDigits; digits <= MaxUINDigits; digits++ {
		for range 200 {
			u, err := drawUIN(digits)
			if err != nil || len(u.digits) != digits {
				t.Fatalf("got %q %v, want %d digits", u.digits, err, digits)
			}
			if _, err := ParseUIN(u.digits); err != nil {
				t.Fatalf("%s does not pass its own filters", u.digits)
			}
		}
	}
	for range 200 {
		v, err := drawVID()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseVID(v.digits); err != nil {
			t.Fatalf("%s does not pass its own filters", v.digits)
		}
	}
}

// The generator that this one succeeds begins 38 % of its numbers with 2. Every
// first digit must come as often as there are numbers that begin with it.
func TestUINsAreDrawnUniformly(t *testing.T) {
	total, byFirst := count(10, 211) // a sample of all prefixes tells the shares; 101 is no step for it, its multiples repeat themselves
	const n = 20_000
	var got [10]int
	for range n {
		u, err := drawUIN(10)
		if err != nil {
			t.Fatal(err)
		}
		got[u.digits[0]-'0']++
	}
	chi := 0.0
	for d := 2; d <= 9; d++ {
		want := n * float64(byFirst[d]) / float64(total)
		chi += (float64(got[d]) - want) * (float64(got[d]) - want) / want
	}
	// 7 degrees of freedom: 40 is exceeded once in a million runs.
	if chi > 40 {
		t.Fatalf("got %v, chi-square %.1f, want below 40", got, chi)
	}
}

// count enumerates the allowed numbers whose prefix is a multiple of step.
func count(digits, step int) (total int64, byFirst [10]int64) {
	lowest := 2
	for range digits - 2 {
		lowest *= 10
	}
	for body := lowest; body < lowest*5; body += step {
		s := fmt.Sprint(body)
		if hasRun(s) || repeatsDigit(s) || repeatsBlock(s) || threeEven(s) {
			continue
		}
		if s += string(verhoeffDigit(s)); allowedUIN(s) {
			total++
			byFirst[s[0]-'0']++
		}
	}
	return total, byFirst
}

func TestCapacityIsExact(t *testing.T) {
	if os.Getenv("PLINTH_LONG") == "" {
		t.Log("the full count takes minutes; counted on a sample")
		sample, _ := count(10, 1009)
		if estimate := float64(sample) * 1009; estimate < .97*float64(Capacity(10)) || estimate > 1.03*float64(Capacity(10)) {
			t.Fatalf("got about %.0f, want %d", estimate, Capacity(10))
		}
		return
	}
	if got, _ := count(10, 1); got != Capacity(10) {
		t.Fatalf("got %d, want %d", got, Capacity(10))
	}
}

func TestNumbersMaskThemselves(t *testing.T) {
	u, err := drawUIN(10)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"u": u})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %s %+v %#v %s %v", u, u, u, u, raw, u.LogValue())
	if strings.Contains(all, u.Reveal()) || !strings.Contains(all, u.Reveal()[6:]) {
		t.Fatalf("got %s, want only the last four digits", all)
	}
}
