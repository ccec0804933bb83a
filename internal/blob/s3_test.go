package blob

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

// fakeS3 answers as much of the S3 protocol as a client needs to put, get,
// delete and list the objects of one bucket. There is no S3 server to test with.
type fakeS3 struct {
	mu      sync.Mutex
	objects map[string][]byte
	broken  bool
}

// bucket starts a fake store and gives its address.
func bucket(t *testing.T) string {
	t.Helper()
	_, address := fake(t)
	return address
}

func fake(t *testing.T) (*fakeS3, string) {
	t.Helper()
	f := &fakeS3{objects: make(map[string][]byte)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, "s3://access:hunter2@" + strings.TrimPrefix(server.URL, "http://") + "/bucket?insecure=true&region=us-east-1"
}

const listed = 2 // objects in an answer, so that lists are continued

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=access/") {
		refuse(w, http.StatusForbidden, "AccessDenied")
		return
	}
	if f.broken {
		refuse(w, http.StatusForbidden, "AllAccessDisabled") // which clients do not try again
		return
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if key == "" && r.Method == http.MethodGet {
		f.list(w, r)
		return
	}
	switch r.Method {
	case http.MethodPut:
		f.objects[key] = payload(r)
		w.Header().Set("ETag", etag(f.objects[key]))
	case http.MethodDelete:
		delete(f.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet, http.MethodHead:
		data, ok := f.objects[key]
		if !ok {
			refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", etag(data))
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(data)
		}
	}
}

// payload undoes the chunks that a signed stream comes in: "size;…\r\n data \r\n".
func payload(r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body)
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return body
	}
	plain, rest := []byte{}, string(body)
	for {
		head, after, _ := strings.Cut(rest, "\r\n")
		size, _, _ := strings.Cut(head, ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil || n == 0 {
			return plain
		}
		plain, rest = append(plain, after[:n]...), after[n+2:]
	}
}

func etag(data []byte) string {
	sum := md5.Sum(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, code)
}

func (f *fakeS3) list(w http.ResponseWriter, r *http.Request) {
	type object struct {
		Key          string
		LastModified time.Time
		ETag         string
		Size         int
	}
	answer := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
	}{}
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if key <= r.URL.Query().Get("continuation-token") {
			continue
		}
		if len(answer.Contents) == listed {
			answer.IsTruncated, answer.NextContinuationToken = true, answer.Contents[listed-1].Key
			break
		}
		answer.Contents = append(answer.Contents, object{key, time.Now().UTC(), etag(f.objects[key]), len(f.objects[key])})
	}
	_ = xml.NewEncoder(w).Encode(answer)
}

func TestAStoreThatRefusesIsNotAnEmptyOne(t *testing.T) {
	f, address := fake(t)
	s, err := S3(address)
	if err != nil {
		t.Fatal(err)
	}
	f.broken = true
	_, get := s.Get(t.Context(), "a")
	_, list := s.Keys(t.Context())
	for name, err := range map[string]error{"put": s.Put(t.Context(), "a", []byte("x")), "get": get, "delete": s.Delete(t.Context(), "a"), "list": list} {
		if err == nil || fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %v, want it to fail", name, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the secret is in %q", name, err)
		}
	}
}
