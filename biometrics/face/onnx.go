//go:build onnx

package face

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// ErrModel says that a model is not the file that was approved, or does not run.
var ErrModel = errors.New("face: this model is not the one that was approved, or does not run")

const mostModel = 1 << 30

// Model is a network in a file of the ONNX format. Library is the shared library of
// the ONNX Runtime; SHA256 is the digest of the file, in hexadecimal; Input and Output
// are the names of its tensors.
type Model struct {
	Library       string
	File, SHA256  string
	Input, Output string
	Layout        Layout
	Calibration   Calibration
}

var runtime sync.Mutex // it is set up once in a process

// OpenModel loads a model after checking that it is the file that was approved. Close
// it when nobody extracts any more.
func OpenModel(m Model) (engine *Network, closing func() error, err error) {
	if err := m.Layout.check(); err != nil {
		return nil, nil, err
	}
	data, err := m.read()
	if err != nil {
		return nil, nil, err
	}
	if err := begin(m.Library); err != nil {
		return nil, nil, err
	}
	// The bytes that were checked are those that run: the file is not read again.
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(data, []string{m.Input}, []string{m.Output}, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	run := func(ctx context.Context, input []float32) ([]float32, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return infer(session, m.Layout, input)
	}
	engine, err = NewNetwork(run, m.Layout, m.Calibration)
	if err != nil {
		return nil, nil, errors.Join(err, session.Destroy())
	}
	return engine, session.Destroy, nil
}

// read takes the file whole and compares its digest.
func (m Model) read() ([]byte, error) {
	want, err := hex.DecodeString(m.SHA256)
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%w: its SHA-256 is not given as 64 hexadecimal digits", ErrModel)
	}
	file, err := os.Open(m.File)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, mostModel+1))
	if err != nil || len(data) > mostModel {
		return nil, fmt.Errorf("%w: it is too large, or cannot be read", ErrModel)
	}
	if got := sha256.Sum256(data); subtle.ConstantTimeCompare(got[:], want) != 1 {
		return nil, fmt.Errorf("%w: its SHA-256 is %x", ErrModel, got)
	}
	return data, nil
}

func begin(library string) error {
	runtime.Lock()
	defer runtime.Unlock()
	if ort.IsInitialized() {
		return nil
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(); err != nil {
		return fmt.Errorf("%w: %w", ErrModel, err)
	}
	return nil
}

// infer runs the network once.
func infer(session *ort.DynamicAdvancedSession, l Layout, input []float32) (vector []float32, err error) {
	shape := ort.NewShape(1, 3, int64(l.Height), int64(l.Width))
	if l.ChannelsLast {
		shape = ort.NewShape(1, int64(l.Height), int64(l.Width), 3)
	}
	in, err := ort.NewTensor(shape, input)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Destroy()) }()
	outputs := []ort.Value{nil}
	if err := session.Run([]ort.Value{in}, outputs); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, outputs[0].Destroy()) }()
	out, ok := outputs[0].(*ort.Tensor[float32])
	if !ok {
		return nil, fmt.Errorf("it gives no 32-bit numbers")
	}
	return append([]float32{}, out.GetData()...), nil // its own memory goes with the tensor
}
