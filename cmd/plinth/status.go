package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/internal/web"
)

// fetchStatus gives the verifier a status list: ours from where it is made, those
// of others over the network.
func (h *house) fetchStatus(ctx context.Context, address string) ([]byte, error) {
	if path, ok := strings.CutPrefix(address, h.URL.String()+"/status/"); ok {
		list, form, divided := strings.Cut(path, "/")
		if !divided {
			form = status.Revocations
		}
		if n, err := strconv.ParseInt(list, 10, 64); err == nil {
			edition, err := h.status.List(ctx, n, form)
			return edition.Document, err
		}
	}
	return fetch(ctx, web.NewClient(web.ClientConfig{}), address)
}

// ownStatus tells lists of ours, which cost nothing to ask for again.
func (h *house) ownStatus(address string) bool {
	return strings.HasPrefix(address, h.URL.String()+"/status/")
}

// fetchTokens does the same for Token Status Lists, which are at the same addresses.
func (h *house) fetchTokens(ctx context.Context, address string) ([]byte, error) {
	if list, ok := strings.CutPrefix(address, h.URL.String()+"/status/"); ok {
		if n, err := strconv.ParseInt(list, 10, 64); err == nil {
			edition, err := h.status.List(ctx, n, status.TokenJWT)
			return edition.Document, err
		}
	}
	return fetchAs(ctx, web.NewClient(web.ClientConfig{}), address, tokenLists)
}

// What is asked for: of a status list the one or the other kind.
const (
	anyJSON    = "application/json, */*;q=0.5"
	tokenLists = "application/" + statuslist.TypeJWT + ", application/" + statuslist.TypeCWT + ";q=0.9, */*;q=0.1"
)

// fetch gets a document.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	return fetchAs(ctx, client, address, anyJSON)
}

// fetchAs gets a document in one of the forms that it has.
func fetchAs(ctx context.Context, client *http.Client, address, accept string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", address, answer.StatusCode)
	}
	return io.ReadAll(answer.Body)
}
