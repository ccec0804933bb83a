-- +goose Up
-- Grants, pushed requests and assertions live minutes; those of the moment of an
-- upgrade are begun anew. Codes, access tokens and refresh tokens prove themselves
-- (keyed hash or seal), so no column and no index holds them, and rows are found
-- by their key alone. Times are written once: an update then touches no index.
DROP TABLE oidc_par, oidc_grant, oidc_jti, oidc_consent;

-- Authorization requests that we keep: pushed by the client, or too long for a cookie.
CREATE TABLE oidc_par (
	hash       bytea PRIMARY KEY,     -- SHA-256 of the request_uri
	client     text NOT NULL,
	sealed     bytea NOT NULL,        -- the request as judged; it may hint at a person
	open_until timestamptz NOT NULL,  -- for the first visit
	expires_at timestamptz NOT NULL   -- for the last
);
CREATE INDEX oidc_par_expires ON oidc_par USING brin (expires_at);

-- One row a login: what was allowed, and what was made of it.
CREATE TABLE oidc_grant (
	id              uuid PRIMARY KEY, -- of the interaction, so that one is completed once
	client          text NOT NULL,
	sealed          bytea NOT NULL,   -- the auth.Grant
	facts           jsonb NOT NULL,   -- of the request: redirect_uri, nonce, challenge
	session         uuid,             -- ends with it, unless it is for offline use
	consent         uuid,             -- ends when that is withdrawn
	code_expires_at timestamptz,      -- null: there was no code
	spent_at        timestamptz,      -- when the code was
	generation      integer NOT NULL DEFAULT 0, -- of the refresh token
	turned_at       timestamptz,      -- when that was renewed
	revoked_at      timestamptz,
	expires_at      timestamptz NOT NULL -- when nothing can come of the row any more
) WITH (fillfactor = 80);
CREATE INDEX oidc_grant_expires ON oidc_grant USING brin (expires_at);

-- What may be shown once: assertions, proofs, logout tokens. The hash is keyed by who showed it.
CREATE TABLE oidc_jti (
	hash       bytea PRIMARY KEY,
	expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_jti_expires ON oidc_jti USING brin (expires_at);

-- Access tokens without a grant that were revoked.
CREATE TABLE oidc_revoked (
	id         uuid PRIMARY KEY,
	expires_at timestamptz NOT NULL
);

-- What people allowed. Names of claims, never their values.
CREATE TABLE oidc_consent (
	id             uuid PRIMARY KEY,
	person         uuid NOT NULL,
	client         text NOT NULL,
	hash           bytea NOT NULL,   -- of all that was asked; asked the same again, the answer is remembered
	scopes         text[] NOT NULL,
	claims         text[] NOT NULL,
	configurations text[] NOT NULL,
	details        jsonb NOT NULL,   -- for the receipt: purpose, policy, subject
	given_at       timestamptz NOT NULL,
	ends_at        timestamptz NOT NULL,
	withdrawn_at   timestamptz
);
CREATE INDEX oidc_consent_person ON oidc_consent (person);

-- A person who is logged in here, in one browser.
CREATE TABLE oidc_session (
	id         uuid PRIMARY KEY,
	person     uuid NOT NULL,
	sealed     bytea NOT NULL,       -- the proof
	clients    text[] NOT NULL,      -- who must be told when it ends
	ended_at   timestamptz,
	expires_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX oidc_session_person ON oidc_session (person);
CREATE INDEX oidc_session_expires ON oidc_session USING brin (expires_at);

-- Clients that must be told of the end of a session.
CREATE TABLE oidc_logout (
	id         uuid PRIMARY KEY,
	client     text NOT NULL,
	session    uuid,                 -- null: every session of the person at this client
	subject    text NOT NULL,        -- pairwise
	tries      integer NOT NULL DEFAULT 0,
	due_at     timestamptz NOT NULL,
	expires_at timestamptz NOT NULL
);

-- What would fail under the stricter profile that a client rehearses.
CREATE TABLE oidc_rehearsal (
	client   text NOT NULL,
	rule     text NOT NULL,
	times    bigint NOT NULL,
	first_at timestamptz NOT NULL,
	last_at  timestamptz NOT NULL,
	PRIMARY KEY (client, rule)
);

-- Questions of clients that are answered elsewhere than where they were asked: on
-- another device (RFC 8628), or on the person's own after a call (CIBA).
CREATE TABLE oidc_deferred (
	id         uuid PRIMARY KEY,     -- of the grant that comes of it
	kind       text NOT NULL CHECK (kind IN ('device', 'ciba')),
	client     text NOT NULL,
	code_hash  bytea UNIQUE,         -- keyed, of what the person enters or follows
	sealed     bytea NOT NULL,       -- the request as judged
	state      text NOT NULL CHECK (state IN ('waiting', 'allowed', 'denied', 'done')),
	pause      integer NOT NULL,     -- seconds between two questions whether it is done
	polled_at  timestamptz,
	ping_at    timestamptz,          -- when the client is to be told; null: it asks
	pings      integer NOT NULL DEFAULT 0,
	expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_deferred_ping ON oidc_deferred (ping_at) WHERE ping_at IS NOT NULL;
