//go:build onnx

package face

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// field writes one field of a protocol buffer that holds bytes.
func field(number int, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	out := binary.AppendUvarint(nil, uint64(number)<<3|2)
	return append(binary.AppendUvarint(out, uint64(len(body))), body...)
}

func number(field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3), v)
}

// averaging is a model that gives the mean of each colour.
func averaging(l Layout) []byte {
	node := func(op, in, out string) []byte {
		return field(1, field(1, []byte(in)), field(2, []byte(out)), field(4, []byte(op)))
	}
	value := func(at int, name string, dims ...int) []byte {
		var shape []byte
		for _, d := range dims {
			shape = append(shape, field(1, number(1, uint64(d)))...)
		}
		return field(at, field(1, []byte(name)), field(2, field(1, number(1, 1), field(2, shape))))
	}
	graph := field(7, node("GlobalAveragePool", "in", "pooled"), node("Flatten", "pooled", "out"), field(2, []byte("means")),
		value(11, "in", 1, 3, l.Height, l.Width), value(12, "out", 1, 3))
	return append(append(number(1, 8), graph...), field(8, number(2, 13))...)
}

func model(t *testing.T) Model {
	t.Helper()
	l := Layout{Width: 64, Height: 80, Mean: 127.5, Scale: 1. / 128, Length: 3}
	raw := averaging(l)
	file := filepath.Join(t.TempDir(), "means.onnx")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return Model{Library: os.Getenv("ONNXRUNTIME_LIBRARY"), File: file, SHA256: fmt.Sprintf("%x", sha256.Sum256(raw)),
		Input: "in", Output: "out", Layout: l, Calibration: calibrated(t)}
}

func TestOnlyTheApprovedModelIsLoaded(t *testing.T) {
	for name, change := range map[string]func(*Model){
		"no digest":      func(m *Model) { m.SHA256 = "" },
		"another digest": func(m *Model) { m.SHA256 = fmt.Sprintf("%x", sha256.Sum256(nil)) },
		"no file":        func(m *Model) { m.File += ".none" },
	} {
		m := model(t)
		change(&m)
		if _, _, err := OpenModel(m); !errors.Is(err, ErrModel) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestModelRuns(t *testing.T) {
	m := model(t)
	if m.Library == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("ONNXRUNTIME_LIBRARY is not set")
		}
		t.Skip("ONNXRUNTIME_LIBRARY is not set: no network is run")
	}
	engine, closing, err := OpenModel(m)
	if err != nil {
		t.Fatal(err)
	}
	a, err := engine.Extract(t.Context(), FromImage(usual().draw()))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := engine.Compare(t.Context(), a, a); err != nil || same != m.Calibration.Most() {
		t.Errorf("one face: got %v, %v", same, err)
	}
	if err := closing(); err != nil {
		t.Error(err)
	}
	m.Calibration = Calibration{}
	if _, _, err := OpenModel(m); !errors.Is(err, ErrUncalibrated) {
		t.Errorf("no table: got %v", err)
	}
}
