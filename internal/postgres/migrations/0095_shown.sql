-- +goose Up
-- Logins in which a wallet shows a credential: on another device its browser must say the number of the page first.
CREATE TABLE oidc_shown (
	id         uuid PRIMARY KEY,  -- in the address that the wallet's browser is sent to
	request    uuid NOT NULL,     -- of the verifier
	link       text NOT NULL,     -- that opens a wallet
	number     text NOT NULL,     -- that the page shows
	asked      jsonb NOT NULL,    -- who asks, and why
	state      text NOT NULL CHECK (state IN ('open', 'confirmed', 'refused', 'done')),
	code       bytea,             -- sealed: what the wallet's browser brought
	expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_shown_expires ON oidc_shown (expires_at);
