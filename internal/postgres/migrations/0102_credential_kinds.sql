-- +goose Up
-- A kind of credential, in versions. One that was active is never changed: what was issued names it.
CREATE TABLE credential_kind (
    name         text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    state        text NOT NULL CHECK (state IN ('draft', 'dry-run', 'active', 'retired')),
    definition   text NOT NULL,
    made_by      text NOT NULL,
    created_at   timestamptz NOT NULL,
    tried_at     timestamptz,
    activated_at timestamptz,
    retired_at   timestamptz,
    PRIMARY KEY (name, version)
);
CREATE UNIQUE INDEX credential_kind_active ON credential_kind (name) WHERE state = 'active';

-- Certificates of the keys that sign documents, and of the authority that certifies them. Nothing here is secret.
CREATE TABLE credential_certificate (
    fingerprint bytea PRIMARY KEY,
    key_id      text NOT NULL,
    authority   bytea REFERENCES credential_certificate,
    document    bytea NOT NULL,
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX credential_certificate_key ON credential_certificate (key_id);

-- A line of the ledger is one artefact; those of one issuance share its number, and are revoked together.
ALTER TABLE credential_issuance ADD COLUMN issuance uuid;
UPDATE credential_issuance SET issuance = id;
ALTER TABLE credential_issuance ALTER COLUMN issuance SET NOT NULL;
ALTER TABLE credential_issuance ADD COLUMN version integer NOT NULL DEFAULT 0;
ALTER TABLE credential_issuance ADD COLUMN suspended text CHECK (suspended IN ('registry', 'officer'));
CREATE INDEX credential_issuance_issuance ON credential_issuance (issuance);

-- A list that is worked through: each row has one outcome, however often the work is begun again.
CREATE TABLE credential_errand (
    run      bytea NOT NULL,
    row      integer NOT NULL CHECK (row > 0),
    subject  uuid,
    outcome  text,
    begun_at timestamptz NOT NULL,
    done_at  timestamptz,
    PRIMARY KEY (run, row),
    CHECK ((outcome IS NULL) = (done_at IS NULL))
);
