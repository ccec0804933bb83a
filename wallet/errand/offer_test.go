package errand

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

func newRunner() *Runner { return &Runner{HTTP: http.DefaultClient, Now: time.Now} }

// The offers printed in the specification.
func TestOffersOfTheSpecificationAreRead(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("the printed offers were not read: TESTDATA_DIR is not set")
	}
	for _, c := range []struct {
		file          string
		preAuthorized bool
		txCode        bool
	}{
		{"credential_offer_multiple_credentials.json", true, true},
		{"credential_offer_by_reference.json", true, true},
		{"credential_offer_pre-authz_code.json", true, true},
	} {
		raw, err := os.ReadFile(filepath.Join(dir, "vectors/openid4vci/examples", c.file))
		if err != nil {
			t.Fatal(err)
		}
		o, err := newRunner().readOffer(t.Context(), "openid-credential-offer://?credential_offer="+url.QueryEscape(string(raw)))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		g := o.Grants.PreAuthorized
		if (g != nil) != c.preAuthorized || (g != nil && g.TxCode != nil) != c.txCode {
			t.Errorf("%s: got %+v", c.file, o.Grants)
		}
	}
}

func TestWhatIsNoOfferIsRefused(t *testing.T) {
	for _, link := range []string{"", "x", "openid-credential-offer://", "openid-credential-offer://?credential_offer={", "openid-credential-offer://?credential_offer={}",
		"openid-credential-offer://?credential_offer={}&credential_offer_uri=https%3A%2F%2Fx", "http://id.example.org/offer", "file:///etc/passwd", "https://user@id.example.org/",
		"openid-credential-offer://?credential_offer_uri=http%3A%2F%2Fid.example.org%2F"} {
		if _, err := newRunner().readOffer(t.Context(), link); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v, want invalid", link, err)
		}
	}
}

func TestWellKnownIsInsertedBeforeThePath(t *testing.T) {
	for identifier, want := range map[string]string{
		"https://issuer.example.com/tenant": "https://issuer.example.com/.well-known/openid-credential-issuer/tenant",
		"https://tenant.issuer.example.com": "https://tenant.issuer.example.com/.well-known/openid-credential-issuer",
	} {
		u, err := Address(identifier)
		if err != nil {
			t.Fatal(err)
		}
		if got := wellKnown(u, "openid-credential-issuer")[0]; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
