package sbi

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

const (
	maxFrame   = 8 << 20
	maxHeaders = 32
	maxLine    = 4 << 10
)

// Frames are the pictures of a live stream, one JPEG after the other.
type Frames struct {
	body     io.Closer
	lines    *bufio.Reader
	boundary string
}

// Stream opens the live stream of a device. Whoever opens it closes it.
func (s Service) Stream(ctx context.Context, r StreamRequest) (*Frames, error) {
	answer, err := s.send(ctx, VerbStream, PathStream, r)
	if err != nil {
		return nil, err
	}
	frames, err := newFrames(answer)
	if err != nil {
		return nil, errors.Join(err, answer.Body.Close())
	}
	return frames, nil
}

func newFrames(answer *http.Response) (*Frames, error) {
	kind, parameters, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("%w: the stream has no type", ErrProtocol)
	}
	if kind == "application/json" {
		raw, err := bounded(answer.Body, maxWords)
		if err != nil {
			return nil, err
		}
		return nil, streamError(raw)
	}
	boundary := strings.TrimLeft(parameters["boundary"], "-")
	if kind != "multipart/x-mixed-replace" || boundary == "" {
		return nil, fmt.Errorf("%w: the stream is no sequence of pictures", ErrProtocol)
	}
	return &Frames{body: answer.Body, lines: bufio.NewReaderSize(answer.Body, maxLine), boundary: boundary}, nil
}

// streamError reads an error in either form that devices send: in an object, or bare.
func streamError(raw []byte) error {
	var wrapped struct {
		Error *Error `json:"error"`
	}
	var bare Error
	if err := errors.Join(decode(raw, &wrapped), decode(raw, &bare)); err != nil {
		return err
	}
	if err := cmp.Or(wrapped.Error, &bare).failure(); err != nil {
		return err
	}
	return fmt.Errorf("%w: no stream and no error", ErrProtocol)
}

// Next gives the next picture. At the end of the stream it gives io.EOF.
func (f *Frames) Next() ([]byte, error) {
	length, err := f.head()
	if err != nil {
		return nil, err
	}
	if length < 0 {
		return f.unmeasured()
	}
	picture := make([]byte, 0, min(length, 64<<10)) // grown as bytes arrive, not as they are promised
	buffer := bytes.NewBuffer(picture)
	if _, err := io.CopyN(buffer, f.lines, int64(length)); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return jpegOf(buffer.Bytes())
}

// head reads up to where a picture begins, and gives its length, −1 if it is not
// said. The specification writes its boundary with the two hyphens that are to stand
// before it already in it; so the delimiter may have two hyphens or four.
func (f *Frames) head() (int, error) {
	for {
		line, err := f.line()
		if err != nil {
			return 0, err
		}
		if f.delimits(line) {
			break
		}
		if end, last := strings.CutSuffix(line, "--"); last && f.delimits(end) {
			return 0, io.EOF
		}
		if line != "" {
			return 0, fmt.Errorf("%w: no boundary where a picture should begin", ErrProtocol)
		}
	}
	length := -1
	for range maxHeaders {
		line, err := f.line()
		if err != nil {
			return 0, err
		}
		if line == "" {
			return length, nil
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			length, err = strconv.Atoi(strings.TrimSpace(value))
			if err != nil || length < 0 || length > maxFrame {
				return 0, fmt.Errorf("%w: a picture is too large", ErrProtocol)
			}
		}
	}
	return 0, fmt.Errorf("%w: too many headers", ErrProtocol)
}

func (f *Frames) delimits(line string) bool {
	bare := strings.TrimLeft(line, "-")
	return len(line)-len(bare) >= 2 && bare == f.boundary
}

func (f *Frames) line() (string, error) {
	line, err := f.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("%w: a line is too long", ErrProtocol)
	case errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// unmeasured reads a picture up to its own end mark.
func (f *Frames) unmeasured() ([]byte, error) {
	var picture []byte
	for {
		part, err := f.lines.ReadSlice(0xd9)
		picture = append(picture, part...)
		switch {
		case len(picture) > maxFrame:
			return nil, fmt.Errorf("%w: a picture is too large", ErrProtocol)
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, io.ErrUnexpectedEOF
		case bytes.HasSuffix(picture, []byte{0xff, 0xd9}):
			return jpegOf(picture)
		}
	}
}

func jpegOf(picture []byte) ([]byte, error) {
	if !bytes.HasPrefix(picture, []byte{0xff, 0xd8, 0xff}) {
		return nil, fmt.Errorf("%w: not a JPEG", ErrProtocol)
	}
	return picture, nil
}

// Close ends the stream.
func (f *Frames) Close() error { return f.body.Close() }
