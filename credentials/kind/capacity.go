package kind

import (
	"fmt"
	"sort"
)

// capacities are how many alphanumeric characters a QR code of each version holds at
// level L and at level M (ISO/IEC 18004, table 7).
var capacities = map[string][40]int{
	"L": {25, 47, 77, 114, 154, 195, 224, 279, 335, 395, 468, 535, 619, 667, 758, 854, 938, 1046, 1153, 1249,
		1352, 1460, 1588, 1704, 1853, 1990, 2132, 2223, 2369, 2520, 2677, 2840, 3009, 3183, 3351, 3537, 3729, 3927, 4087, 4296},
	"M": {20, 38, 61, 90, 122, 154, 178, 221, 262, 311, 366, 419, 483, 528, 600, 656, 734, 816, 909, 970,
		1035, 1134, 1248, 1326, 1451, 1542, 1637, 1732, 1839, 1994, 2113, 2238, 2369, 2506, 2632, 2780, 2894, 3054, 3220, 3391},
}

// TooLong says that a code has no room for what it must say.
type TooLong struct{ Have, Room, Version int }

func (e *TooLong) Error() string {
	return fmt.Sprintf("kind: the code needs %d characters, version %d has room for %d", e.Have, e.Version, e.Room)
}

// Capacity is how many characters a code may have at most.
func (c *InCode) Capacity() int {
	if c.Level == "M" {
		return capacities["M"][c.Version-1]
	}
	return capacities["L"][c.Version-1]
}

// Left is how many bytes a code of so many characters has left, at the level that it
// is meant for: three characters of base45 hold two bytes.
func (c *InCode) Left(characters int) int { return (c.Capacity() - characters) * 2 / 3 }

// For is the level that a text is drawn at.
func (c *InCode) For(characters int) string {
	if c.Level != "" {
		return c.Level
	}
	if characters <= capacities["M"][c.Version-1] {
		return "M"
	}
	return "L"
}

// Drawn is the version of the code that a text becomes.
func (c *InCode) Drawn(characters int) int {
	of := capacities[c.For(characters)]
	return sort.SearchInts(of[:], characters) + 1
}

// moduleSize is the least, in millimetres, that a cheap phone reads from paper.
const moduleSize = 0.33

// Millimetres is the side of a printed code with its quiet zone.
func Millimetres(version int) float64 { return float64(17+4*version+8) * moduleSize }
