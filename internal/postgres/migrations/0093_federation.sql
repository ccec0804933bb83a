-- +goose Up
-- Relying parties that came in by a federation. Nothing here is about a person.
CREATE TABLE oidc_federation_client (
	entity     text PRIMARY KEY,
	way        text NOT NULL CHECK (way IN ('automatic', 'explicit')),
	anchor     text NOT NULL,
	expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_federation_client_expires ON oidc_federation_client (expires_at);

-- Entities right below us, and what we state about them.
CREATE TABLE oidc_federation_subordinate (
	entity       text PRIMARY KEY,
	jwks         json NOT NULL,
	metadata     json,
	policy       json,
	constraints  json,
	entity_types text[] NOT NULL,
	intermediate boolean NOT NULL,
	added_at     timestamptz NOT NULL
);

-- Trust marks that we gave. They are kept when they have ended, since we are asked
-- how they ended.
CREATE TABLE oidc_federation_mark (
	hash       bytea PRIMARY KEY,    -- SHA-256 of the mark
	type       text NOT NULL,
	entity     text NOT NULL,
	mark       text NOT NULL,
	issued_at  timestamptz NOT NULL,
	expires_at timestamptz,          -- null: it does not expire
	revoked_at timestamptz
);
CREATE INDEX oidc_federation_mark_entity ON oidc_federation_mark (entity, type);
