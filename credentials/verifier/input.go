package verifier

import (
	"bytes"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
)

// MaxInput is the largest input that is looked at.
const MaxInput = 5 << 20

// What input is refused with before anything could be judged.
var (
	ErrTooLarge   = fault.New(fault.Invalid, "The input is too large. Send at most 5 MB.").Named("too-large")
	ErrUnreadable = fault.New(fault.Invalid, "No QR code and no credential could be found in the input. Send a sharp, straight picture of the whole code, its text, or the credential.").
			Named("unreadable")
	ErrPDF = fault.New(fault.Invalid, "No picture of a QR code could be found in this PDF: it may draw the code as lines, which is not supported. Send a picture of the code.").
		Named("pdf-without-picture")
)

// read gives the text that a scanner would have read, or the JSON of a credential.
func read(sent []byte) (text []byte, err error) {
	if len(sent) > MaxInput {
		return nil, ErrTooLarge
	}
	switch {
	case bytes.HasPrefix(sent, []byte("\x89PNG\r\n\x1a\n")), bytes.HasPrefix(sent, []byte("\xff\xd8\xff")):
		scanned, err := qr.Read(sent)
		if err != nil {
			return nil, ErrUnreadable.Because(err)
		}
		return []byte(scanned), nil
	case bytes.HasPrefix(sent, []byte("%PDF-")):
		return readPDF(sent)
	case looksLikeMdoc(sent):
		return sent, nil
	}
	// What a scanner or an editor adds: a byte order mark, an end of line. A space
	// at the end can belong to the code.
	text = bytes.Trim(bytes.TrimPrefix(sent, []byte("\xef\xbb\xbf")), "\r\n\t")
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, ErrUnreadable
	}
	return text, nil
}
