package login

import (
	"strings"
	"testing"
	"unicode"
)

func TestTidyKeepsWhatWasMeant(t *testing.T) {
	for entered, want := range map[string]string{
		" 4820 9357-16 ": "4820935716", "٤٨٢٠": "4820", "४८२०": "4820", "۴۸۲۰": "4820", "48\u00a020\u200f–16": "482016", "": "", "a1": "a1",
	} {
		if got := tidy(entered); got != want {
			t.Errorf("%q: got %q, want %q", entered, got, want)
		}
	}
}

func FuzzTidy(f *testing.F) {
	f.Add("٤٨ 20-४")
	f.Add("\xff\u200f")
	f.Fuzz(func(t *testing.T, entered string) {
		got := tidy(entered)
		if strings.ContainsFunc(got, unicode.IsSpace) || tidy(got) != got {
			t.Fatalf("got %q from %q, want nothing left to tidy", got, entered)
		}
	})
}
