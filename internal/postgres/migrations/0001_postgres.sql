-- +goose Up
-- Which installation this database belongs to: shown by doctor and kept in
-- backups, so that nobody restores one country's data over another's.
CREATE TABLE postgres_installation (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO postgres_installation DEFAULT VALUES;
