package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plinth-id/plinth/biometrics/abis"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/web"
)

type abisCommand struct {
	Data        string   `required:"" type:"path" help:"Directory for templates, keys and the record of requests; made when there is none. PLINTH_KEY_PASSPHRASE seals its key."`
	Listen      string   `default:"127.0.0.1:9098" help:"Address of the door by HTTP."`
	SecretFile  string   `type:"existingfile" help:"File with the bearer token of that door; or PLINTH_ABIS_SECRET."`
	Fetch       []string `required:"" help:"Address below which samples may be fetched, as in https://mosip.example/v1/datashare/; repeatable."`
	OpenWith    []string `type:"existingfile" help:"PEM of an RSA key that samples are sealed to; repeatable. Without one they must come in the clear."`
	TokenURL    string   `help:"Where a token for fetching is got, as in https://mosip.example/v1/authmanager/authenticate/clientidsecretkey."`
	TokenClient string   `default:"mosip-abis-client" help:"Client id there; its secret is PLINTH_ABIS_CLIENT_SECRET."`
	TokenApp    string   `default:"regproc" help:"Application id there."`
	Queue       string   `help:"Broker of the queues (AMQP 1.0), as in amqp://host:5672; user and password are PLINTH_ABIS_QUEUE_USER and _PASSWORD."`
	Requests    string   `default:"mosip-to-abis" help:"Queue of requests."`
	Answers     string   `default:"abis-to-mosip" help:"Queue of answers."`
	FPIR        float64  `default:"0.001" help:"How often the search of somebody new may name anybody, unless a request says otherwise."`
}

// drainABIS is how long requests under way may take to end.
const drainABIS = 30 * time.Second

func (c *abisCommand) Run(ctx context.Context) error {
	secret, err := secretOf("PLINTH_ABIS_SECRET", c.SecretFile)
	if err != nil {
		return wrongUse{err}
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return wrongUse{err}
	}
	config, err := c.config()
	if err != nil {
		return wrongUse{err}
	}
	record, err := openRecord(filepath.Join(c.Data, "requests.jsonl"))
	if err != nil {
		return wrongUse{err}
	}
	defer record.close()
	config.Record = record.add
	a, err := abis.Open(config)
	if err != nil {
		return wrongUse{err}
	}
	defer func() {
		if err := a.Close(); err != nil {
			slog.Error("closing the templates failed", "error", err)
		}
	}()
	door, err := a.Handler(secret)
	if err != nil {
		return wrongUse{err}
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return wrongUse{err}
	}
	if err := printJSON(map[string]any{"service": "http://" + ln.Addr().String() + "/abis", "people": a.Len(), "queue": c.Queue != ""}); err != nil {
		return err
	}
	var work errgroup.Group
	work.Go(func() error { return web.Serve(ctx, ln, door, drainABIS) })
	if c.Queue != "" {
		q := abis.Queue{Address: c.Queue, User: os.Getenv("PLINTH_ABIS_QUEUE_USER"), Password: os.Getenv("PLINTH_ABIS_QUEUE_PASSWORD"), Requests: c.Requests, Answers: c.Answers}
		work.Go(func() error { return q.Serve(ctx, a) })
	}
	return work.Wait()
}

func (c *abisCommand) config() (abis.Config, error) {
	key, err := sealedKey(c.Data, os.Getenv("PLINTH_KEY_PASSPHRASE"))
	if err != nil {
		return abis.Config{}, err
	}
	client := web.NewClient(web.ClientConfig{Timeout: time.Minute, Limit: abis.MostSamples + 1, Private: true})
	share := abis.DataShare{HTTP: client}
	for _, text := range c.Fetch {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return abis.Config{}, fmt.Errorf("--fetch %s: needs an address, as in https://mosip.example/v1/datashare/", text)
		}
		share.Below = append(share.Below, u)
	}
	for _, file := range c.OpenWith {
		key, err := readRSAKey(file)
		if err != nil {
			return abis.Config{}, err
		}
		share.Keys = append(share.Keys, key)
	}
	if c.TokenURL != "" {
		share.Token = &abis.Token{HTTP: client, Address: c.TokenURL, App: c.TokenApp, Client: c.TokenClient, Secret: os.Getenv("PLINTH_ABIS_CLIENT_SECRET")}
	}
	return abis.Config{File: filepath.Join(c.Data, "templates.abis"), Key: key, Fetch: share.Fetch, FPIR: c.FPIR}, nil
}

const abisKeyAD = "plinth abis key"

// sealedKey opens the key of a directory, sealed by its root key, and makes it when
// there is none.
func sealedKey(dir, passphrase string) ([]byte, error) {
	root, err := keys.FileRoot(filepath.Join(dir, "root.key"), passphrase)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "abis.key")
	wrapped, err := os.ReadFile(file)
	if err == nil {
		return root.Unwrap(wrapped, []byte(abisKeyAD))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "templates.abis")); err == nil {
		return nil, fmt.Errorf("%s is missing, and without it the templates cannot be opened; restore it from the backup", file)
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if wrapped, err = root.Wrap(key, []byte(abisKeyAD)); err != nil {
		return nil, err
	}
	return key, writeFile(file, wrapped)
}

// readRSAKey reads a private key, PKCS #8 or PKCS #1.
func readRSAKey(file string) (*rsa.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := key.(*rsa.PrivateKey); ok {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("%s holds no RSA key in PEM (of a PKCS #12 file: openssl pkcs12 -nodes -nocerts)", file)
}

// requestRecord is the file that holds who asked what, one JSON object a line.
type requestRecord struct {
	mu   sync.Mutex
	file *os.File
}

// openRecord opens the file, and ends a line that a death has left half written.
func openRecord(path string) (*requestRecord, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	last := []byte{'\n'}
	if info, err := f.Stat(); err != nil {
		return nil, errors.Join(err, f.Close())
	} else if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if last[0] != '\n' {
		if _, err := f.WriteString("\n"); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return &requestRecord{file: f}, nil
}

func (r *requestRecord) add(e abis.Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return r.file.Sync()
}

func (r *requestRecord) close() {
	if err := r.file.Close(); err != nil {
		slog.Error("closing the record of requests failed", "error", err)
	}
}

// secretOf reads a bearer token from a file, or from the environment.
func secretOf(variable, file string) (string, error) {
	secret := os.Getenv(variable)
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		secret = string(raw)
	}
	secret = strings.TrimSpace(secret)
	if file != "" && secret == "" || secret != "" && len(secret) < leastSecret {
		return "", fmt.Errorf("the secret has fewer than %d characters", leastSecret)
	}
	return secret, nil
}
