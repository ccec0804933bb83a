package auth

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/plinth-id/plinth/registry"
)

const (
	shortestPIN, longestPIN           = 6, 8
	shortestPassword, longestPassword = 12, 128
)

// commonest are PINs and passwords that are tried first, one a line, folded; those
// that the rules below find are not among them.
//
//go:embed commonest.txt
var commonestFile string

var commonest = strings.Fields(commonestFile)

// folded is a text as it is compared: without case, width and blanks.
func folded(text string) string {
	text = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}

// digits writes the digits of every script as 0 to 9 and drops blanks and hyphens.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case unicode.IsSpace(r) || r == '-':
			return -1
		case !unicode.Is(unicode.Nd, r):
			return r
		}
		value := rune(0) // the ten digits of a script stand together, the nought first
		for unicode.Is(unicode.Nd, r-value-1) {
			value++
		}
		return '0' + value%10
	}, norm.NFKC.String(text))
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, digits(text))
}

// weakPIN tells which rule a PIN breaks; empty: none.
func weakPIN(pin string, i registry.Identity) string {
	switch {
	case pin != onlyDigits(pin) || len(pin) < shortestPIN || len(pin) > longestPIN:
		return "must have 6 to 8 digits"
	case repeated(pin, 4) || running(pin) || slices.Contains(commonest, pin):
		return "is one of those that are guessed first"
	case ofBirth(pin, i):
		return "holds your date of birth"
	case slices.ContainsFunc(numbers(i), func(own string) bool { return strings.Contains(own, pin) }):
		return "is part of a number of yours"
	}
	return ""
}

// repeated tells a text of one piece, of so many characters at most, over and over;
// the last time it may be cut.
func repeated(text string, longest int) bool {
	all := []rune(text)
	for piece := 1; piece <= longest && piece <= len(all)/2; piece++ {
		if slices.Equal(all[piece:], all[:len(all)-piece]) {
			return true
		}
	}
	return false
}

// running tells characters each of which follows the one before, up or down.
func running(text string) bool {
	all := []rune(text)
	if len(all) < 2 {
		return false
	}
	// 9 is followed by 0, as on a keyboard.
	step := func(i int) rune { return (all[i] - all[i-1] + 10) % 10 }
	for i := 2; i < len(all); i++ {
		if step(i) != step(1) {
			return false
		}
	}
	return step(1) == 1 || step(1) == 9
}

// ofBirth tells whether a PIN holds the year of birth, or is the date.
func ofBirth(pin string, i registry.Identity) bool {
	b := onlyDigits(i.Birthdate())
	if len(b) != 8 {
		return false
	}
	year, month, day := b[:4], b[4:6], b[6:]
	if strings.Contains(pin, year) {
		return true
	}
	for _, short := range []string{day + month + year[2:], month + day + year[2:], year[2:] + month + day, year[2:] + day + month} {
		if strings.Contains(pin, short) {
			return true
		}
	}
	return false
}

// numbers are the person's own.
func numbers(i registry.Identity) []string {
	own := []string{i.UIN.Reveal(), onlyDigits(i.Phone()), onlyDigits(i.Birthdate())}
	return slices.DeleteFunc(own, func(n string) bool { return len(n) < shortestPIN })
}

// leastOwn is how much of a password must be left without the words and numbers that
// everybody knows who knows the person.
const leastOwn = 8

// weakPassword tells which rule a password breaks; empty: none. There are no rules of
// which characters it is made (NIST SP 800-63B, 3.1.1.2).
func weakPassword(password string, i registry.Identity) string {
	n := utf8.RuneCountInString(password)
	if !utf8.ValidString(password) || n < shortestPassword || n > longestPassword {
		return "must have 12 to 128 characters"
	}
	plain := folded(password)
	bare := strings.TrimFunc(plain, func(r rune) bool { return !unicode.IsLetter(r) })
	if utf8.RuneCountInString(plain) < leastOwn || repeated(plain, 12) || running(plain) || slices.Contains(commonest, plain) || bare != "" && slices.Contains(commonest, bare) {
		return "is one of those that are guessed first"
	}
	rest := plain
	for _, word := range append(ownWords(i), numbers(i)...) {
		rest = strings.ReplaceAll(rest, word, "")
	}
	if rest != plain && utf8.RuneCountInString(rest) < leastOwn {
		return "is mostly your name or a number of yours"
	}
	return ""
}

// ownWords are the words of the person's names and the first half of the mail address.
func ownWords(i registry.Identity) []string {
	texts := []string{strings.SplitN(i.Email(), "@", 2)[0]}
	for _, field := range []string{"fullName", "givenName", "familyName"} {
		texts = append(texts, i.Text(field, ""))
		for _, language := range i.Languages(field) {
			texts = append(texts, i.Text(field, language))
		}
	}
	var words []string
	for _, text := range texts {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) }) {
			if word = folded(word); utf8.RuneCountInString(word) >= 3 {
				words = append(words, word)
			}
		}
	}
	// The longest first: what is within another is found after it.
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(words)
}
