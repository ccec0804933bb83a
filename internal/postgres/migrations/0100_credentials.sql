-- +goose Up
-- An offer is found by the hash of the secret in its link, or of its code; neither is kept.
CREATE TABLE credential_offer (
    id          uuid PRIMARY KEY,
    link_hash   bytea NOT NULL UNIQUE,
    code_hash   bytea NOT NULL UNIQUE,
    tx_code     bytea,
    sealed      bytea NOT NULL,
    tries       smallint NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL,
    spent_at    timestamptz
);
CREATE INDEX credential_offer_expires ON credential_offer (expires_at);

-- A nonce is in its first row only when it is spent: giving one out writes nothing.
CREATE TABLE credential_nonce (
    hash        bytea PRIMARY KEY,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX credential_nonce_expires ON credential_nonce (expires_at);

-- The ledger: what was issued, never its contents.
CREATE TABLE credential_issuance (
    id             uuid PRIMARY KEY,
    state          text NOT NULL CHECK (state IN ('intended', 'issued')),
    configuration  text NOT NULL,
    person_lookup  bytea NOT NULL,
    person_sealed  bytea NOT NULL,
    holder         bytea,
    status_list    bigint NOT NULL,
    status_index   integer NOT NULL,
    notification   bytea UNIQUE,
    digest         bytea,
    outcome        text CHECK (outcome IN ('credential_accepted', 'credential_failure', 'credential_deleted')),
    intended_at    timestamptz NOT NULL,
    issued_at      timestamptz,
    expires_at     timestamptz NOT NULL,
    UNIQUE (status_list, status_index),
    CHECK ((state = 'issued') = (digest IS NOT NULL AND issued_at IS NOT NULL))
);
CREATE INDEX credential_issuance_person ON credential_issuance (person_lookup);
