-- +goose Up
-- Answers that were given under an Idempotency-Key. The id is a keyed digest of
-- who asked and the key they chose; what was asked and answered is sealed.
CREATE TABLE web_idempotency (
    id         bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    claim      uuid NOT NULL,
    sealed     bytea NOT NULL,
    done       boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours'
);
CREATE INDEX web_idempotency_expires_at ON web_idempotency (expires_at);
