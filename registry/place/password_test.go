package place

import (
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/plinth-id/plinth/internal/fault"
)

func TestASVS_6_2_PasswordsThatAreRefused(t *testing.T) {
	for what, c := range map[string]struct{ password, rule string }{
		"6.2.1 empty":                    {"", "at least 12"},
		"6.2.1 eleven characters":        {"abcdefghijX", "at least 12"},
		"6.2.1 eleven, more bytes":       {"äöüäöüäöüäö", "at least 12"},
		"6.2.9 a hundred and 29":         {strings.Repeat("ab", 64) + "c", "at most 128"},
		"6.2.4 common":                   {"password1234", "too easy"},
		"6.2.4 common in other case":     {"CorrectHorseBatteryStaple", "too easy"},
		"6.2.4 one letter":               {strings.Repeat("z", 20), "too easy"},
		"6.2.4 one letter in both cases": {strings.Repeat("zZ", 10), "too easy"},
		"6.2.4 one letter of two bytes":  {strings.Repeat("ä", 20), "too easy"},
		"6.2.4 blanks":                   {strings.Repeat(" ", 12), "too easy"},
		"6.2.11 our word and digits":     {"Enrolment2031!", "too easy"},
		"6.2.11 the name within":         {"my name is Amina.b ok", "too easy"},
	} {
		err := checkPassword(c.password, "amina.b")
		if !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "password-refused" {
			t.Errorf("%s: got %v, want it refused", what, err)
			continue
		}
		if f := fault.Of(err).Fields; len(f) != 1 || f[0].Name != "password" || !strings.Contains(f[0].Rule, c.rule) {
			t.Errorf("%s: got %v, want %q", what, f, c.rule)
		}
		if c.password != "" && strings.Contains(err.Error(), c.password) {
			t.Errorf("%s: got the password in %v", what, err)
		}
	}
}

// ASVS 6.2.5: any composition will do.
func TestASVS_6_2_5_PasswordsOfAnyComposition(t *testing.T) {
	for what, p := range map[string]string{
		"twelve small letters": "qjzvkxwpmnrt", "words": password, "a hundred and 28": strings.Repeat("ab", 64), "Arabic": "قهوة الصباح قبل العمل",
		"twelve of four bytes": "😀😁😂🤣😃😄😅😆😉😊😋😎", "blanks at both ends": "  by the sea  ",
	} {
		if err := checkPassword(p, "amina.b"); err != nil {
			t.Errorf("%s: got %v, want it taken", what, err)
		}
	}
}

func TestASVS_6_2_8_PasswordsAreComparedAsTyped(t *testing.T) {
	hash := hashPassword("  A long Walk by the sea ")
	if !passwordFits(hash, "  A long Walk by the sea ") {
		t.Error("got it refused, want it to fit")
	}
	for _, p := range []string{"A long Walk by the sea", "  a long walk by the sea ", "  A long Walk by the sea", "  A long Walk by the sea \x00", "", strings.Repeat("x", 1<<20)} {
		if passwordFits(hash, p) {
			t.Errorf("got %.30q to fit, want only what was typed", p)
		}
	}
}

// RFC 9106 and OWASP: Argon2id, a salt of its own for each.
func TestASVS_11_4_2_PasswordsAreKeptStretched(t *testing.T) {
	one, other := hashPassword(password), hashPassword(password)
	if one == other || !strings.HasPrefix(one, "argon2id$2$19456$") || strings.Contains(one, password) {
		t.Errorf("got %s and %s, want two hashes with salts of their own", one, other)
	}
	if !passwordFits("argon2id$1$64$"+encode([]byte("another salt"))+"$"+encode(argon2.IDKey([]byte(password), []byte("another salt"), 1, 64, 1, 32)), password) {
		t.Error("got a hash of other costs refused, want it to fit")
	}
	parts := strings.Split(one, "$")
	for _, spoiled := range []string{"", "argon2id", password, strings.Replace(one, "argon2id", "argon2i", 1), strings.Join(parts[:4], "$"), one + "$",
		"argon2id$0$19456$" + parts[3] + "$" + parts[4], "argon2id$-1$19456$" + parts[3] + "$" + parts[4], "argon2id$2$99999999$" + parts[3] + "$" + parts[4],
		"argon2id$2$19456$!$" + parts[4], "argon2id$2$19456$" + parts[3] + "$"} {
		if passwordFits(spoiled, password) {
			t.Errorf("got %q to fit, want it refused", spoiled)
		}
	}
}
