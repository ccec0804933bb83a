package login

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
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

func TestASVS_3_3_1_CookiesAreOfThisHostAloneOnHTTPS(t *testing.T) {
	for scheme, want := range map[string]string{"https": "__Host-plinth_login", "http": "plinth_login"} {
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		f := &Flow{Config{Public: &url.URL{Scheme: scheme, Host: "id.example"}}}
		f.setCookie(c, loginCookie, "sealed", time.Minute)
		set := w.Result().Cookies()
		if len(set) != 1 || set[0].Name != want || set[0].Secure != (scheme == "https") || set[0].Path != "/" || set[0].Domain != "" || !set[0].HttpOnly {
			t.Errorf("%s: got %v, want %s", scheme, set, want)
		}
	}
}

func TestShortIsNeverLongerThanIsAllowed(t *testing.T) {
	for _, text := range []string{"", "abc", strings.Repeat("a", 300), strings.Repeat("é", 150), "a" + strings.Repeat("文", 100), strings.Repeat("😀", 60) + "ab", strings.Repeat("a", 199) + "😀", strings.Repeat("\x80", 300)} {
		got := short(text, 200)
		if len(got) > 200 || !strings.HasPrefix(text, got) || utf8.ValidString(text) && !utf8.ValidString(got) || len(text) <= 200 && got != text {
			t.Errorf("%q: got %d bytes %q", text, len(got), got)
		}
	}
}
