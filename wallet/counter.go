package wallet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
	"github.com/plinth-id/plinth/wallet/present"
)

// ClientID is how our own provider knows the wallet in a browser.
const ClientID = "plinth-wallet"

// BackPath is where an issuer sends the browser back after a login.
const BackPath = "/wallet/back"

// Config is what the wallet in a browser needs of us.
type Config struct {
	Pool    *pgxpool.Pool
	Seal    func(plain, ad []byte) ([]byte, error) // what a browser holds for us between two steps
	Open    func(sealed, ad []byte) ([]byte, error)
	HTTP    *http.Client          // bounds where links may lead
	Issuer  string                // our own, whose catalogue is shown
	Anchors func() *x509.CertPool // authorities that certify verifiers; nil: none
	Own     string                // DID of our own verifier; empty: none
	Now     func() time.Time
}

// Counter serves wallets in browsers: it goes on their errands, and keeps their cards as
// ciphertext. It has none of their keys, and remembers nothing between two steps.
type Counter struct {
	Config
	run    *errand.Runner
	desk   *present.Desk
	places *places
	births births
	room   int64 // bytes for new wallets
}

const (
	stepLife   = time.Hour
	laterLife  = 60 * 24 * time.Hour
	blobLife   = 3 * 365 * 24 * time.Hour
	unreadLife = 30 * 24 * time.Hour
	maxBlob    = 736 << 10 // in base64 it is within maxRequest
	maxRequest = 1 << 20
)

// NewCounter makes a Counter.
func NewCounter(c Config) (*Counter, error) {
	if c.Pool == nil || c.Seal == nil || c.Open == nil || c.HTTP == nil || c.Issuer == "" {
		return nil, errors.New("wallet: a pool, Seal, Open, an HTTP client and an issuer are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	run := &errand.Runner{HTTP: c.HTTP, Now: c.Now}
	return &Counter{Config: c, run: run, desk: &present.Desk{Run: run, Anchors: c.Anchors, Own: c.Own}, places: newPlaces(), room: roomForAll}, nil
}

var (
	errStep    = fault.New(fault.Invalid, "This step does not fit. Begin again.").Named("bad-step")
	errTooLate = fault.New(fault.Invalid, "This took too long. Begin again.").Named("step-expired")
)

// hold seals an errand for the browser to hold until the next step.
func (c *Counter) hold(kind string, errand any, life time.Duration) (string, error) {
	raw, err := json.Marshal(errand)
	if err != nil {
		return "", fmt.Errorf("holding an errand: %w", err)
	}
	until := binary.BigEndian.AppendUint64(nil, uint64(c.Now().Add(life).Unix()))
	sealed, err := c.Seal(append(until, raw...), []byte("wallet "+kind))
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// resume opens what a browser has held.
func (c *Counter) resume(kind, held string, into any) error {
	sealed, err := base64.RawURLEncoding.DecodeString(held)
	if err != nil {
		return errStep
	}
	plain, err := c.Open(sealed, []byte("wallet "+kind))
	if err != nil || len(plain) < 8 {
		return errStep.Because(err)
	}
	if c.Now().Unix() > int64(binary.BigEndian.Uint64(plain)) {
		return errTooLate
	}
	if err := json.Unmarshal(plain[8:], into); err != nil {
		return errStep.Because(errors.New("another edition of the program sealed it"))
	}
	return nil
}

// BlobRequest is something that a wallet wants done with its ciphertext.
type BlobRequest struct {
	Do        string          `json:"do"` // "get", "put" or "delete"
	ID        []byte          `json:"id"`
	Challenge string          `json:"challenge,omitempty"`
	Key       json.RawMessage `json:"key,omitempty"` // public JWK
	Signature []byte          `json:"signature,omitempty"`
	Edition   int64           `json:"edition"` // that it changes; 0: there is none yet
	Sealed    []byte          `json:"sealed,omitempty"`
}

// BlobAnswer is what came of it.
type BlobAnswer struct {
	Challenge string `json:"challenge,omitempty"`
	Edition   int64  `json:"edition"`
	Sealed    []byte `json:"sealed,omitempty"`
}

var (
	errBlob     = fault.New(fault.Denied, "The wallet could not prove that these cards are its own.").Named("blob-denied")
	errNoBlob   = fault.New(fault.NotFound, "Nothing is kept for this wallet.").Named("blob-none")
	errNewer    = fault.New(fault.Conflict, "Another device has changed the wallet meanwhile. Open it again.").Named("blob-newer")
	errBlobSize = fault.New(fault.Invalid, "The wallet is too large to be kept. Delete cards that you do not need.").Named("blob-large")
)

// Blob reads, keeps or deletes the ciphertext of a wallet. Reading wants the identifier,
// which only the owner's passkey yields; changing wants a signature besides. From is the
// network that asks.
func (c *Counter) Blob(ctx context.Context, from string, r BlobRequest) (BlobAnswer, error) {
	if len(r.ID) != 32 {
		return BlobAnswer{}, errNoBlob
	}
	id := sha256.Sum256(r.ID)
	switch r.Do {
	case "challenge":
		challenge, err := c.hold("blob", map[string]any{"for": id[:], "salt": rand.Text()}, 2*time.Minute)
		return BlobAnswer{Challenge: challenge}, err
	case "get":
		b, err := findBlob(ctx, c.Pool, id[:])
		if errors.Is(err, pgx.ErrNoRows) {
			return BlobAnswer{}, errNoBlob
		}
		if err == nil {
			err = openedBlob(ctx, c.Pool, id[:], c.Now())
		}
		return BlobAnswer{Edition: b.Edition, Sealed: b.Sealed}, err
	}
	key, err := c.owner(id[:], r)
	if err != nil {
		return BlobAnswer{}, err
	}
	if r.Do == "delete" {
		_, err := deleteBlob(ctx, c.Pool, id[:], key)
		return BlobAnswer{}, err
	}
	return c.put(ctx, from, blobAt{id[:], blob{Key: key, Sealed: r.Sealed, Edition: r.Edition}})
}

// blobAt is a browser wallet with its place.
type blobAt struct {
	id []byte
	blob
}

func (c *Counter) put(ctx context.Context, from string, b blobAt) (BlobAnswer, error) {
	if len(b.Sealed) == 0 || len(b.Sealed) > maxBlob {
		return BlobAnswer{}, errBlobSize
	}
	write, room := updateBlob, 2*c.room // so that a flood of new ones does not lock out those who are here
	if b.Edition == 0 {
		write, room = insertBlob, c.room
	}
	if err := c.fits(ctx, room); err != nil {
		return BlobAnswer{}, err
	}
	if b.Edition == 0 {
		if err := c.births.count(from, c.Now()); err != nil {
			return BlobAnswer{}, err
		}
	}
	done, err := write(ctx, c.Pool, b.id, b.blob, c.Now())
	if err == nil && !done {
		err = errNewer
	}
	return BlobAnswer{Edition: b.Edition + 1}, err
}

// fits tells whether there is room. The size of the table is cheap to know, but it
// does not shrink when wallets go; so what is in it is counted before anybody is refused.
func (c *Counter) fits(ctx context.Context, room int64) error {
	for _, measure := range []func(context.Context, postgres.DB) (int64, error){sizeOfBlobs, sumOfBlobs} {
		if held, err := measure(ctx, c.Pool); err != nil || held < room {
			return err
		}
	}
	return errRoom
}

// owner checks that a change is signed, over all that it says, by the key that it names.
func (c *Counter) owner(id []byte, r BlobRequest) ([]byte, error) {
	var asked struct {
		For []byte `json:"for"`
	}
	if err := c.resume("blob", r.Challenge, &asked); err != nil || !bytes.Equal(asked.For, id) {
		return nil, errBlob.Because(err)
	}
	keys, err := holder.ParseKeys([]json.RawMessage{r.Key})
	if err != nil {
		return nil, errBlob.Because(err)
	}
	public, ok := keys[0].Key.(*ecdsa.PublicKey)
	if !ok || len(r.Signature) != 64 {
		return nil, errBlob
	}
	contents := sha256.Sum256(r.Sealed)
	digest := sha256.Sum256(fmt.Appendf(nil, "plinth wallet\n%s\n%d\n%x\n%s", r.Do, r.Edition, contents, r.Challenge))
	if !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(r.Signature[:32]), new(big.Int).SetBytes(r.Signature[32:])) {
		return nil, errBlob
	}
	return x509.MarshalPKIXPublicKey(public)
}

// Sweep forgets wallets that nobody has opened for years, and those that were made and
// never opened again.
func (c *Counter) Sweep(ctx context.Context) error {
	now := c.Now()
	return sweepBlobs(ctx, c.Pool, now.Add(-blobLife), now.Add(-unreadLife))
}
