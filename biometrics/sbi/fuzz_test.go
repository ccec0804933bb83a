package sbi

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
)

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"deviceId":"1","deviceStatus":"Ready","deviceSubId":["1",2],"digitalId":"e30","specVersion":["0.9.5"],"error":{"errorCode":"0","errorInfo":"Success"}}]`))
	f.Add([]byte(`[{"deviceInfo":"a.b.c","error":{"errorCode":"111","errorInfo":"Busy"}}]`))
	f.Add([]byte(`{"biometrics":[{"specVersion":"0.9.5","data":"a.b.c","hash":"00","error":null}]}`))
	f.Add([]byte(`{"error":{"errorCode":"202","errorInfo":"No Device Connected."}}`))
	f.Add([]byte(`[{"deviceSubId":["1e308"]}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		devices, err := parseDevices(raw)
		if err == nil && len(devices) > maxDevices {
			t.Error("more devices than are read")
		}
		for _, d := range devices {
			_, _ = d.Identity()
			_ = local(d.CallbackID)
			_ = d.Error.failure()
		}
		_, _ = parseInfo(raw)
		if streamError(raw) == nil {
			t.Error("what is no stream is no error either")
		}
		a, err := ParseAnswer(raw)
		if err != nil {
			return
		}
		if all, err := (Trust{Roots: x509.NewCertPool()}).CheckAnswer(Request{TransactionID: "abcd"}, a, time.Unix(0, 0)); err == nil || len(all) > 0 {
			t.Error("samples without trust")
		}
	})
}

func FuzzSigned(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiIsIng1YyI6WyJNSUlCIl19.e30.AAAA", []byte("sample"))
	f.Add("..", []byte{})
	f.Add("eyJhbGciOiJub25lIn0.e30.", []byte("x"))
	f.Fuzz(func(t *testing.T, jws string, sample []byte) {
		trust := Trust{Roots: x509.NewCertPool(), Chips: x509.NewCertPool()}
		if _, err := trust.Check(jws, sample, time.Unix(0, 0)); err == nil {
			t.Error("evidence without trust")
		}
		if _, _, err := trust.CheckInfo(SignedInfo{DeviceInfo: jws}, time.Unix(0, 0)); err == nil {
			t.Error("information without trust")
		}
		record := cbeff.Record{Position: biometrics.LeftIndex, Data: sample, Signature: []byte(jws), Others: map[string]string{"PAYLOAD": jws + placeholder}}
		if _, err := trust.CheckRecord(record, time.Unix(0, 0)); err == nil {
			t.Error("a record without trust")
		}
	})
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"bioType":"Finger","bioSubType":"Left IndexFinger","bioValue":"AA","transactionId":"abcd","qualityScore":"60.5","timestamp":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"bioType":"Face","bioValue":"AA","transactionId":"abcd","qualityScore":100,"pad":{"score":2}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p Payload
		if decode(raw, &p) != nil || p.wellFormed() != nil {
			return
		}
		if p.QualityScore < 0 || p.QualityScore > 100 || !ValidTransaction(p.TransactionID) || p.PAD != nil && !(p.PAD.Score >= 0 && p.PAD.Score <= 1) {
			t.Errorf("taken for well-formed: %+v", p)
		}
		_, _ = parseStamp(p.Timestamp)
		_ = Ask{Type: p.BioType, BioSubType: []string{p.BioSubType}}.wants(p)
	})
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("--B\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xd9\r\n\r\n--B\r\n\r\n\xff\xd8\xff\x00\xff\xd9\r\n--B--\r\n"), "multipart/x-mixed-replace; boundary=B")
	f.Add([]byte("----B\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xd9\r\n"), "multipart/x-mixed-replace; boundary=--B")
	f.Add([]byte("--B\r\nContent-Length: 99999999999\r\n\r\n"), "multipart/x-mixed-replace; boundary=B")
	f.Add([]byte(`{"errorCode":"100"}`), "application/json")
	f.Fuzz(func(t *testing.T, raw []byte, kind string) {
		answer := &http.Response{Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(raw))}
		frames, err := newFrames(answer)
		if err != nil {
			return
		}
		total := 0
		for {
			picture, err := frames.Next()
			if err != nil {
				break
			}
			if total += len(picture); total > len(raw) || !bytes.HasPrefix(picture, []byte{0xff, 0xd8, 0xff}) {
				t.Fatal("a picture that was not sent")
			}
		}
	})
}

func TestFramesOfEitherDelimiter(t *testing.T) {
	for _, c := range []struct{ kind, raw string }{
		{"multipart/x-mixed-replace; boundary=--BoundaryString", "--BoundaryString\r\nAccess-Control-Allow-Origin:*\r\nContent-Type:image/jpeg\r\nContent-Length:4\r\n\r\n\xff\xd8\xff\xd9\r\n\r\n--BoundaryString\r\nContent-Length:4\r\n\r\n\xff\xd8\xff\xd9\r\n\r\n"},
		{"multipart/x-mixed-replace; boundary=B", "--B\r\n\r\n\xff\xd8\xff\x01\xd9\xff\xd9\r\n--B\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xd9\r\n--B--\r\n"},
	} {
		frames, err := newFrames(&http.Response{Header: http.Header{"Content-Type": {c.kind}}, Body: io.NopCloser(bytes.NewReader([]byte(c.raw)))})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if picture, err := frames.Next(); err != nil || !bytes.HasSuffix(picture, []byte{0xff, 0xd9}) {
				t.Errorf("%s: got %x, %v", c.kind, picture, err)
			}
		}
		if _, err := frames.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: got %v at the end", c.kind, err)
		}
	}
}

func TestADeviceSendsNobodyElsewhere(t *testing.T) {
	for address, want := range map[string]bool{"http://127.0.0.1:4501/": true, "http://127.0.0.1:4501": true, "http://[::1]:4501": true, "http://10.0.0.1:4501/": false,
		"http://example.org/": false, "https://127.0.0.1/": false, "http://u@127.0.0.1/": false, "file:///etc": false, "": false, "http://127.0.0.1:1/x": false} {
		if got := local(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}
