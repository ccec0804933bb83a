-- +goose Up

-- What happened. A row is written in the transaction that it tells of, and never
-- changed; its place in the log stands apart, in audit_leaf.
CREATE TABLE audit_entry (
    id      uuid PRIMARY KEY,
    event   text NOT NULL,
    person  uuid,
    actor   text NOT NULL,
    subject text NOT NULL,
    details text NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX audit_entry_person ON audit_entry (person) WHERE person IS NOT NULL;

-- Entries that wait for their place.
CREATE TABLE audit_pending (entry uuid PRIMARY KEY);

CREATE TABLE audit_leaf (
    seq   bigint PRIMARY KEY,
    entry uuid NOT NULL UNIQUE,
    hash  bytea NOT NULL
);

-- Full subtrees of the Merkle tree above the leaves.
CREATE TABLE audit_node (
    level int NOT NULL,
    idx   bigint NOT NULL,
    hash  bytea NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE audit_checkpoint (
    size bigint PRIMARY KEY,
    note text NOT NULL,
    at   timestamptz NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
-- +goose StatementEnd

CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_leaf_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_leaf FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
