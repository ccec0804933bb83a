package place

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/plinth-id/plinth/internal/fault"
)

// Officers' passwords: at least 12 characters, up to 128, compared as typed, no
// rules of composition, none that are guessed first (OWASP ASVS 5.0, 6.2).
const (
	shortest = 12
	longest  = 128
)

// ourWords are words of our own that a guesser would try with digits behind.
var ourWords = []string{"plinth", "identity", "enrolment", "registry", "adjudicator", "operator", "administrator"}

// common are what guessing begins with, at our length.
var common = []string{"123456789012", "1234567890123", "12345678901234", "qwertyuiop12", "qwertyuiopasdf", "qwertyuiopas", "passwordpassword",
	"password1234", "password12345", "password123456", "administrator", "administrator1", "adminadminadmin", "iloveyouiloveyou", "letmeinletmein",
	"welcomewelcome", "welcome12345", "abcdefghijkl", "abcdefghijklm", "abc123abc123", "changemechangeme", "changeme1234", "111111111111", "000000000000",
	"1q2w3e4r5t6y", "1qaz2wsx3edc", "qazwsxedcrfv", "asdfghjkl123", "zxcvbnm12345", "football1234", "baseball1234", "sunshine1234", "princess1234",
	"correcthorsebatterystaple", "correct horse battery staple", "trustno1trustno1", "monkeymonkey", "dragondragon", "superman1234", "internet1234"}

func checkPassword(password, name string) error {
	refuse := func(rule string) error {
		return fault.New(fault.Invalid, "Choose another password: it "+rule+".").Named("password-refused").At("password", rule)
	}
	n := utf8.RuneCountInString(password)
	lower := strings.ToLower(password)
	switch {
	case n < shortest:
		return refuse("must have at least 12 characters")
	case n > longest:
		return refuse("must have at most 128 characters")
	case strings.Contains(lower, name) || isOneLetter(lower):
		return refuse("is too easy to guess")
	}
	if slices.Contains(common, lower) || slices.Contains(ourWords, strings.TrimRight(lower, "0123456789!. ")) {
		return refuse("is too easy to guess")
	}
	return nil
}

func isOneLetter(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return strings.Trim(s, string(first)) == ""
}

// Argon2id with 19 MiB and 2 passes (OWASP's recommendation).
const (
	passes = 2
	memory = 19 << 10
)

func hashPassword(password string) string {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	return fmt.Sprintf("argon2id$%d$%d$%s$%s", passes, memory, encode(salt), encode(argon2.IDKey([]byte(password), salt, passes, memory, 1, 32)))
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// nobody is compared with when there is no such officer, so that the answer
// takes as long.
var nobody = hashPassword("there is nobody of this name")

// passwordFits derives as the hash says that it was derived, so that the costs may
// grow without making any officer's password wrong.
func passwordFits(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 5 || parts[0] != "argon2id" || len(password) > 4*longest {
		return false
	}
	times, badTimes := strconv.ParseUint(parts[1], 10, 8)
	kibibytes, badMemory := strconv.ParseUint(parts[2], 10, 21)
	salt, badSalt := base64.RawStdEncoding.DecodeString(parts[3])
	if badTimes != nil || badMemory != nil || badSalt != nil || times == 0 {
		return false
	}
	derived := argon2.IDKey([]byte(password), salt, uint32(times), uint32(kibibytes), 1, 32)
	return subtle.ConstantTimeCompare([]byte(encode(derived)), []byte(parts[4])) == 1
}
