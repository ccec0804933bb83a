package oidc

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The OAuth library calls our handlers with nothing but a context, and a token
// request must be one transaction: the assertion used up, the code spent and the
// token made together or not at all. Hence the one value that a context carries here.
type txKey struct{}

func withTx(ctx context.Context, tx pgx.Tx) context.Context {
	return context.WithValue(ctx, txKey{}, tx)
}

func txOf(ctx context.Context) pgx.Tx { return ctx.Value(txKey{}).(pgx.Tx) }
