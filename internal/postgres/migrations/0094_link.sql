-- +goose Up
-- Logins that a wallet answers: shown in a browser as a code, proven by the wallet.
CREATE TABLE oidc_link (
	id         uuid PRIMARY KEY,     -- of the visit
	client     text NOT NULL,
	code_hash  bytea UNIQUE,         -- keyed; null once a wallet has taken it
	code_until timestamptz NOT NULL,
	number     text NOT NULL,        -- that the browser shows and the wallet must say
	nonce      text NOT NULL,
	shown      jsonb NOT NULL,       -- what the wallet shows of the question
	state      text NOT NULL CHECK (state IN ('open', 'linked', 'proven', 'answered', 'refused', 'done')),
	sealed     bytea,                -- the proof
	claims     text[],               -- that the person allowed in the wallet
	expires_at timestamptz NOT NULL
);
