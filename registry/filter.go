package registry

import "strings"

// allowedUIN tells whether a number passes every published filter: numbers that
// are easy to guess, to mistype or to be offended by are never given out.
func allowedUIN(s string) bool {
	return wellFormed(s) && !threeEven(s) && s[:5] != s[len(s)-5:] && s[:5] != reversed(s[len(s)-5:])
}

// allowedVID is allowedUIN without the rules on even digits and on both ends.
func allowedVID(s string) bool { return wellFormed(s) }

func wellFormed(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s[0] >= '2' && !hasRun(s) && !repeatsDigit(s) && !repeatsBlock(s) &&
		!strings.Contains(s, "786") && !strings.Contains(s, "666") && !strings.Contains(s, cyclic) &&
		verhoeffValid(s)
}

// cyclic is the only cyclic number that is short enough to occur.
const cyclic = "142857"

// hasRun finds three digits that count up or down, 890 and 098 included.
func hasRun(s string) bool {
	for i := 2; i < len(s); i++ {
		first, second := (s[i-1]-s[i-2]+10)%10, (s[i]-s[i-1]+10)%10
		if first == second && (first == 1 || first == 9) {
			return true
		}
	}
	return false
}

// repeatsDigit finds a digit that occurs again next to itself or one further.
func repeatsDigit(s string) bool {
	for i := 1; i < len(s); i++ {
		if s[i] == s[i-1] || i > 1 && s[i] == s[i-2] {
			return true
		}
	}
	return false
}

// repeatsBlock finds two digits that occur twice.
func repeatsBlock(s string) bool {
	for i := 0; i+4 <= len(s); i++ {
		if strings.Contains(s[i+2:], s[i:i+2]) {
			return true
		}
	}
	return false
}

// threeEven finds three digits of 2, 4, 6 and 8 in a row.
func threeEven(s string) bool {
	row := 0
	for i := range len(s) {
		if row++; s[i] == '0' || s[i]%2 == 1 {
			row = 0
		}
		if row == 3 {
			return true
		}
	}
	return false
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// The Verhoeff checksum: multiplication in the dihedral group D5, a permutation
// that depends on the place, and the inverse.
var (
	verhoeffTimes = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
		{3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
		{6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
		{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}}
	verhoeffPlace = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
		{8, 9, 1, 6, 0, 4, 3, 5, 2, 7}, {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
		{2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}}
	verhoeffInverse = [10]byte{0, 4, 3, 2, 1, 5, 6, 7, 8, 9}
)

func verhoeff(s string, from int) byte {
	var c byte
	for i := range len(s) {
		c = verhoeffTimes[c][verhoeffPlace[(i+from)%8][s[len(s)-1-i]-'0']]
	}
	return c
}

// verhoeffDigit is the digit that makes body valid when it is appended.
func verhoeffDigit(body string) byte { return '0' + verhoeffInverse[verhoeff(body, 1)] }

func verhoeffValid(s string) bool { return verhoeff(s, 0) == 0 }
