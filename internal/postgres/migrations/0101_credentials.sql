-- +goose Up
-- An offer may also begin a login; state_hash finds it then. Shape is what its wallet
-- is told of it: grants, and what the transaction code looks like.
ALTER TABLE credential_offer ADD COLUMN state_hash bytea UNIQUE,
    ADD COLUMN shape jsonb NOT NULL DEFAULT '{}';

-- One notification is about all that came in one answer.
ALTER TABLE credential_issuance DROP CONSTRAINT credential_issuance_notification_key;
CREATE INDEX credential_issuance_notification ON credential_issuance (notification);

-- What waits for an officer, or for a person's record to be in order. The sealed
-- halves hold whose it is and for which keys; the hash finds it by its transaction_id.
CREATE TABLE credential_deferred (
    id             uuid PRIMARY KEY,
    hash           bytea NOT NULL UNIQUE,
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'approved', 'refused', 'taken')),
    configuration  text NOT NULL,
    person_lookup  bytea NOT NULL,
    sealed_grant   bytea NOT NULL,
    sealed_keys    bytea NOT NULL,
    draft13        boolean NOT NULL DEFAULT false,
    approval       boolean NOT NULL,
    created_at     timestamptz NOT NULL,
    decided_at     timestamptz,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX credential_deferred_waiting ON credential_deferred (created_at) WHERE state = 'waiting';
CREATE INDEX credential_deferred_expires ON credential_deferred (expires_at);

-- How many copies of a kind a person was given on a day.
CREATE TABLE credential_quota (
    person_lookup  bytea NOT NULL,
    configuration  text NOT NULL,
    day            date NOT NULL,
    used           integer NOT NULL,
    PRIMARY KEY (person_lookup, configuration, day)
);
CREATE INDEX credential_quota_day ON credential_quota (day);
