package face

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"strconv"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/iso"
)

// ErrEngine says that an engine did not answer, or not as it must.
var ErrEngine = errors.New("face: the recognition engine did not answer as it must")

// Remote is an engine behind HTTP, in the form of the Bio SDK.
type Remote struct {
	// Similarity names what the SDK calls the similarity, in the analyticsInfo of a
	// decision. Where it is empty its verdict is taken: 1 for MATCHED, 0 for NOT_MATCHED.
	Similarity string
	Now        func() time.Time // nil means time.Now

	client      *biosdk.Client
	calibration Calibration
}

// NewRemote takes the client that may reach the SDK, the address below which it
// answers, and what was measured of it.
func NewRemote(client *http.Client, address string, c Calibration) (*Remote, error) {
	sdk, err := biosdk.NewClient(client, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	if len(c.points) == 0 {
		return nil, ErrUncalibrated
	}
	return &Remote{client: sdk, calibration: c}, nil
}

var onlyFaces = biosdk.List[biosdk.Modality]{biosdk.Face}

// recordOf puts bytes into the SDK's form.
func (r *Remote) recordOf(bdb []byte, level string) *biosdk.Record {
	now := r.Now
	if now == nil {
		now = time.Now
	}
	return &biosdk.Record{Segments: biosdk.List[biosdk.BIR]{biosdk.FromCBEFF(cbeff.Record{
		Position: biometrics.FullFace, Format: cbeff.FaceImage, Level: level, Purpose: "Verify", Created: now(), Quality: -1, Data: bdb})}}
}

// Extract sends a face record of the image and returns the template that the SDK makes.
func (r *Remote) Extract(ctx context.Context, img *Image) ([]byte, error) {
	if img == nil || img.pixels == nil {
		return nil, ErrNoFace
	}
	var b bytes.Buffer
	quick := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := quick.Encode(&b, img.pixels); err != nil {
		return nil, fmt.Errorf("face: writing an image: %w", err)
	}
	record, err := iso.WriteImage(iso.Image{Position: biometrics.FullFace, Codec: iso.PNG, Width: img.Width, Height: img.Height, Quality: -1, Data: b.Bytes()})
	if err != nil {
		return nil, fmt.Errorf("face: writing a record: %w", err)
	}
	made, err := r.client.ExtractTemplate(ctx, biosdk.ExtractRequest{Sample: r.recordOf(record, "Raw"), Modalities: onlyFaces})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	if len(made.Segments) == 0 || len(made.Segments[0].BDB) == 0 {
		return nil, fmt.Errorf("%w: its template is empty", ErrEngine)
	}
	return made.Segments[0].BDB, nil
}

// Compare lets the SDK compare two templates, and reads what its answer is worth from
// the table.
func (r *Remote) Compare(ctx context.Context, a, b []byte) (biometrics.Score, error) {
	if len(a) == 0 || len(b) == 0 {
		return 0, nil // nothing matches nothing
	}
	decided, err := r.client.Match(ctx, biosdk.MatchRequest{Sample: r.recordOf(a, "Processed"),
		Gallery: biosdk.List[biosdk.Record]{*r.recordOf(b, "Processed")}, Modalities: onlyFaces})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	d, ok := decided[0].Decisions[biosdk.Face]
	if !ok {
		return 0, fmt.Errorf("%w: it decided of no face", ErrEngine)
	}
	similarity, err := r.similarity(d)
	if err != nil {
		return 0, err
	}
	return r.calibration.Score(similarity), nil
}

// similarity is what the table is read with.
func (r *Remote) similarity(d biosdk.Decision) (float64, error) {
	switch {
	case d.Match != biosdk.Matched && d.Match != biosdk.NotMatched:
		return 0, fmt.Errorf("%w: it could not compare", ErrEngine)
	case r.Similarity == "" && d.Match == biosdk.Matched:
		return 1, nil
	case r.Similarity == "":
		return 0, nil
	}
	similarity, err := strconv.ParseFloat(d.Analytics[r.Similarity], 64)
	if err != nil || !finite(similarity) {
		return 0, fmt.Errorf("%w: it says nothing of the similarity", ErrEngine)
	}
	return similarity, nil
}
