-- +goose Up
-- Authorization requests that we keep: pushed by the client, or too long for a cookie.
CREATE TABLE oidc_par (
	hash       bytea PRIMARY KEY,     -- SHA-256 of the request_uri
	client     text NOT NULL,
	sealed     bytea NOT NULL,        -- the request as judged; it may hint at a person
	visit      text,                  -- the one interaction that may go on with it
	expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_par_expires ON oidc_par (expires_at);

-- One row a login: what was allowed, the code that stands for it, and the access token.
CREATE TABLE oidc_grant (
	id               uuid PRIMARY KEY, -- of the interaction, so that one is completed once
	client           text NOT NULL,
	sealed           bytea NOT NULL,   -- the auth.Grant
	facts            jsonb NOT NULL,   -- of the request: redirect_uri, nonce, challenge
	code_hash        bytea UNIQUE,     -- null: there was a pre-authorized code instead
	code_expires_at  timestamptz,
	spent_at         timestamptz,
	token_hash       bytea UNIQUE,
	token_expires_at timestamptz,
	revoked_at       timestamptz,
	expires_at       timestamptz NOT NULL, -- when nothing can come of the row any more
	CHECK (code_hash IS NULL OR code_expires_at IS NOT NULL),
	CHECK (token_hash IS NULL OR token_expires_at IS NOT NULL)
);
CREATE INDEX oidc_grant_expires ON oidc_grant (expires_at);

-- Client assertions that were used.
CREATE TABLE oidc_jti (
	client     text NOT NULL,
	hash       bytea NOT NULL,
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (client, hash)
);
CREATE INDEX oidc_jti_expires ON oidc_jti (expires_at);

-- What people allowed. Names of claims, never their values.
CREATE TABLE oidc_consent (
	id             uuid PRIMARY KEY,
	person         uuid NOT NULL,
	client         text NOT NULL,
	scopes         text[] NOT NULL,
	claims         text[] NOT NULL,
	configurations text[] NOT NULL,
	given_at       timestamptz NOT NULL,
	ends_at        timestamptz NOT NULL
);
CREATE INDEX oidc_consent_person ON oidc_consent (person, given_at);
