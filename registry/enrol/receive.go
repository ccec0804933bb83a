package enrol

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

var (
	pointBlob   = failpoint.Name("enrol/receive/after-blob")
	pointBefore = failpoint.Name("enrol/receive/before-commit")
	pointAfter  = failpoint.Name("enrol/receive/after-commit")
)

// Receive accepts a packet from an officer. What it accepts can be processed,
// and will be, even if this process dies now. The same packet again gets the
// same answer.
func (o *Office) Receive(ctx context.Context, packet []byte, officer uuid.UUID) (Application, error) {
	e, err := unpack(packet)
	if err != nil {
		return Application{}, err
	}
	digest := sha256.Sum256(packet)
	// The very bytes that were accepted before passed every check then, and the
	// answer must not change because a station was shut out since.
	a, err := applicationOf(ctx, o.Pool, e.Packet)
	if err == nil && bytes.Equal(a.digest, digest[:]) && a.submitter == officer {
		return a, nil
	}
	known := err == nil
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Application{}, fmt.Errorf("receiving a packet: %w", err)
	}
	if err := o.admit(ctx, e, officer); err != nil {
		return Application{}, err
	}
	if known {
		return Application{}, errReplayed
	}
	if err := o.tryOpen(ctx, e); err != nil {
		return Application{}, err
	}
	return o.accept(ctx, packet, e, officer)
}

// accept keeps a packet that is good from outside, and puts it to work.
func (o *Office) accept(ctx context.Context, packet []byte, e envelope, officer uuid.UUID) (Application, error) {
	digest := sha256.Sum256(packet)
	// The blob comes before the row: a blob without a row is sealed, and taken up
	// when the packet comes again; a row without its blob would be an application lost.
	if err := o.Blob.Put(ctx, blobKey(digest[:]), packet); err != nil {
		return Application{}, fmt.Errorf("keeping a packet: %w", err)
	}
	failpoint.Hit(pointBlob)
	a := Application{ID: uuid.New(), Process: processNew, State: Received, Stage: stages[Received],
		digest: digest[:], packet: e.Packet, officer: e.Officer, submitter: officer}
	err := postgres.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
		if err := insertApplication(ctx, tx, a, e.Station, o.Now()); err != nil {
			return err
		}
		if err := audit.Append(ctx, tx, audit.Entry{Event: audit.PacketReceived, Actor: "officer:" + officer.String(), Subject: a.ID.String(),
			Details: map[string]string{"packet": e.Packet.String(), "station": e.Station.String(), "sha256": hex.EncodeToString(digest[:])}}); err != nil {
			return err
		}
		if err := o.enqueue(ctx, tx, a.ID); err != nil {
			return err
		}
		failpoint.Hit(pointBefore)
		return nil
	})
	if postgres.IsUnique(err, "") { // somebody else sent it in this moment
		return o.received(ctx, o.Pool, e.Packet, digest[:])
	}
	if err != nil {
		return Application{}, fmt.Errorf("receiving a packet: %w", err)
	}
	failpoint.Hit(pointAfter)
	return a, nil
}

// received is the application of a packet that came before; pgx.ErrNoRows: none.
func (o *Office) received(ctx context.Context, db postgres.DB, packet uuid.UUID, digest []byte) (Application, error) {
	a, err := applicationOf(ctx, db, packet)
	if err == nil && !bytes.Equal(a.digest, digest) {
		return Application{}, errReplayed
	}
	return a, err
}

// admit holds a packet's outside to its rules: its station, its signature, its
// officer and its date.
func (o *Office) admit(ctx context.Context, e envelope, officer uuid.UUID) error {
	station, err := o.Stations(ctx, o.Pool, e.Station)
	if fault.Is(err, fault.NotFound) {
		return errStranger
	}
	if err != nil {
		return fmt.Errorf("finding a station: %w", err)
	}
	if len(station.Public) != ed25519.PublicKeySize || !ed25519.Verify(station.Public, e.signed(), e.signature) {
		return errTampered
	}
	if station.Disabled {
		return errDisabled
	}
	// A station could name anybody; who signed in has proved to be themselves.
	if e.Officer != officer {
		return errOfficer
	}
	switch created := time.Unix(e.Created, 0); {
	case created.After(o.Now().Add(maxAhead)):
		return errFuture
	case created.Before(o.Now().Add(-maxAge)):
		return errStale
	}
	return nil
}

// tryOpen tells whether a packet can be opened and read. Opening takes several
// times the memory of the packet, so not everybody may at once.
func (o *Office) tryOpen(ctx context.Context, e envelope) error {
	select {
	case o.opening <- struct{}{}:
		defer func() { <-o.opening }()
	case <-ctx.Done():
		return fmt.Errorf("waiting to open a packet: %w", ctx.Err())
	}
	_, err := o.open(e)
	return err
}

// open opens and parses the contents of a packet whose outside is good.
func (o *Office) open(e envelope) (contents, error) {
	plain, err := o.Ring.OpenPacket(e.KeyID, e.sealed, e.info())
	if errors.Is(err, keys.ErrUnknownKey) {
		return contents{}, errForeign
	}
	if err != nil {
		return contents{}, errUnopened.Because(err)
	}
	c, err := parseContents(plain)
	c.closed = time.Unix(e.Created, 0)
	return c, err
}

// stored fetches and opens the packet of an application.
func (o *Office) stored(ctx context.Context, a Application) (contents, error) {
	packet, err := o.Blob.Get(ctx, blobKey(a.digest))
	if err != nil {
		return contents{}, fmt.Errorf("fetching a packet: %w", err)
	}
	if digest := sha256.Sum256(packet); !bytes.Equal(digest[:], a.digest) {
		return contents{}, errors.New("fetching a packet: it was damaged in the store; restore it from the backup")
	}
	e, err := unpack(packet)
	if err != nil {
		return contents{}, fmt.Errorf("opening a packet: %w", err)
	}
	c, err := o.open(e)
	if err != nil {
		return contents{}, fmt.Errorf("opening a packet: %w", err)
	}
	return c, nil
}

func blobKey(digest []byte) string { return "packets/" + hex.EncodeToString(digest) }
