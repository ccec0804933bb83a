package pdf

import (
	"bytes"
	"fmt"
	"image/jpeg"
)

const maxPicture = 4 << 20

// jpegFile is one that can be embedded.
type jpegFile struct {
	data          []byte
	width, height int
	space         string
}

// JPEG adds a picture to the document, for any of its pages.
func (d *Document) JPEG(file []byte) (int, error) {
	j, err := parseJPEG(file)
	if err != nil {
		return 0, err
	}
	n := d.number()
	d.writeJPEG(n, j)
	return n, nil
}

// parseJPEG leaves out what cameras write beside a picture: where it was taken is
// nobody's business.
func parseJPEG(file []byte) (jpegFile, error) {
	if len(file) > maxPicture {
		return jpegFile{}, fmt.Errorf("%w: %d bytes", ErrPicture, len(file))
	}
	bare, components, err := bareJPEG(file)
	if err != nil {
		return jpegFile{}, err
	}
	size, err := jpeg.DecodeConfig(bytes.NewReader(bare))
	space := map[byte]string{1: "/DeviceGray", 3: "/DeviceRGB"}[components]
	if err != nil || space == "" || size.Width < 1 || size.Height < 1 {
		return jpegFile{}, ErrPicture
	}
	return jpegFile{bare, size.Width, size.Height, space}, nil
}

func (d *Document) writeJPEG(n int, j jpegFile) {
	d.stream(n, fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace %s /Filter /DCTDecode",
		j.width, j.height, j.space), j.data, true)
}

// bareJPEG leaves out comments and all application segments but those that decoders
// need, and counts the colours.
func bareJPEG(file []byte) (bare []byte, components byte, err error) {
	if len(file) < 4 || file[0] != 0xff || file[1] != 0xd8 {
		return nil, 0, ErrPicture
	}
	bare = append(bare, 0xff, 0xd8)
	for at := 2; at+4 <= len(file) && file[at] == 0xff; {
		kind, length := file[at+1], int(file[at+2])<<8|int(file[at+3])
		end := at + 2 + length
		if length < 2 || end > len(file) {
			return nil, 0, ErrPicture
		}
		switch {
		case kind == 0xda: // the picture itself, to the end
			return append(bare, file[at:]...), components, nil
		case kind >= 0xc0 && kind <= 0xc2:
			if length < 8 {
				return nil, 0, ErrPicture
			}
			components = file[at+9]
		}
		if keep := kind < 0xe0 || kind == 0xe0 || kind == 0xee; keep && kind != 0xfe {
			bare = append(bare, file[at:end]...)
		}
		at = end
	}
	return nil, 0, ErrPicture
}

// BareJPEG gives a picture without what cameras write beside it.
func BareJPEG(file []byte) ([]byte, error) {
	j, err := parseJPEG(file)
	return j.data, err
}
