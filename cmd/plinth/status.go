package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/status"
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

// fetch gets a document.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json, */*;q=0.5")
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
