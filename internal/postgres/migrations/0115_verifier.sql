-- +goose Up
-- A request for a presentation. What is asked is sealed, and forgotten with the
-- answer; what was disclosed is sealed, and forgotten when it is collected or has
-- expired. The secrets by which it is found are kept as hashes.
CREATE TABLE vp_request (
    id                 uuid PRIMARY KEY,
    state              text NOT NULL CHECK (state IN ('asked', 'answered', 'failed', 'refused', 'collected')),
    secret_hash        bytea NOT NULL,
    code_hash          bytea,
    network            bytea,
    sealed             bytea,
    fetched_at         timestamptz,
    verdict            text CHECK (verdict IN ('valid', 'invalid', 'unknown')),
    reason             text,
    digest             bytea,
    result             bytea,
    presentation       bytea,
    presentation_until timestamptz,
    asked_at           timestamptz NOT NULL,
    answered_at        timestamptz,
    expires_at         timestamptz NOT NULL,
    CHECK ((state = 'asked') = (sealed IS NOT NULL)),
    CHECK ((state = 'asked') = (digest IS NULL)),
    CHECK ((presentation IS NULL) = (presentation_until IS NULL))
);
CREATE INDEX vp_request_expires ON vp_request (expires_at);
CREATE INDEX vp_request_network ON vp_request (network) WHERE state = 'asked';
CREATE INDEX vp_request_answered ON vp_request (answered_at);
