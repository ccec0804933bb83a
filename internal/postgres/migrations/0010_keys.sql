-- +goose Up

-- Domain keys. What is secret is wrapped by the root key, which is not in the database.
CREATE TABLE key_domain (
    id         text PRIMARY KEY,
    domain     text NOT NULL,
    algorithm  text NOT NULL,
    public     bytea,
    wrapped    bytea NOT NULL,
    state      text NOT NULL CHECK (state IN ('current', 'retired')),
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);
CREATE UNIQUE INDEX key_domain_current ON key_domain (domain) WHERE state = 'current';

-- One data key per person, wrapped by the identity domain key. Deleting the row
-- erases the person.
CREATE TABLE key_person (
    person     uuid PRIMARY KEY,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
