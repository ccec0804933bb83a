-- +goose Up
CREATE TABLE status_list (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose    text NOT NULL CHECK (purpose = 'revocation'),
    open       boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);
-- One list of a purpose is being filled at a time, so that no list stays so empty that its entries can be told apart.
CREATE UNIQUE INDEX status_list_open ON status_list (purpose) WHERE open;

-- No foreign key to the list: every insert would lock the one open row.
CREATE TABLE status_entry (
    list       bigint NOT NULL,
    idx        integer NOT NULL CHECK (idx >= 0 AND idx < 131072),
    issuance   uuid NOT NULL UNIQUE,
    revoked_at timestamptz,
    PRIMARY KEY (list, idx)
);
CREATE INDEX status_entry_revoked ON status_entry (list, idx) WHERE revoked_at IS NOT NULL;
