-- +goose Up
-- Relying parties that want to be told, and what they are to be told (Shared Signals).
CREATE TABLE oidc_signal_stream (
	id          uuid PRIMARY KEY,
	client      text NOT NULL UNIQUE,
	endpoint    text,                    -- where events are pushed; null: they are fetched
	credential  bytea,                   -- sealed: what the endpoint wants as Authorization
	events      text[] NOT NULL,         -- as requested
	description text NOT NULL,
	status      text NOT NULL CHECK (status IN ('enabled', 'paused', 'disabled')),
	reason      text NOT NULL DEFAULT '',
	verified_at timestamptz,             -- when a verification was last asked for
	due_at      timestamptz NOT NULL,    -- when the next push may be tried
	failing_at  timestamptz,             -- since when pushes fail
	tries       int NOT NULL DEFAULT 0
);

CREATE TABLE oidc_signal_event (
	seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id         uuid NOT NULL UNIQUE,     -- the jti
	stream     uuid NOT NULL REFERENCES oidc_signal_stream ON DELETE CASCADE,
	sealed     bytea NOT NULL,
	expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_signal_event_stream ON oidc_signal_event (stream, seq);
CREATE INDEX oidc_signal_event_expires ON oidc_signal_event (expires_at);

-- Subjects that a party does not want to hear of, by a keyed hash.
CREATE TABLE oidc_signal_unwanted (
	stream  uuid NOT NULL REFERENCES oidc_signal_stream ON DELETE CASCADE,
	subject bytea NOT NULL,
	PRIMARY KEY (stream, subject)
);
