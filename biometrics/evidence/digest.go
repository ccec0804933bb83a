package evidence

import (
	"crypto/sha256"
	"encoding/binary"
)

// Digest is by what an image is known again, whatever file it comes in: of its width
// and height in pixels and its pixels, grey, row by row.
func Digest(width, height int, pixels []uint8) []byte {
	h := sha256.New()
	var size [8]byte
	binary.BigEndian.PutUint32(size[:], uint32(width))
	binary.BigEndian.PutUint32(size[4:], uint32(height))
	h.Write(size[:])
	h.Write(pixels)
	return h.Sum(nil)
}
