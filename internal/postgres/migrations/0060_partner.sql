-- +goose Up

-- Relying parties. Nothing here is about a person.
CREATE TABLE partner_client (
    id         text PRIMARY KEY,
    metadata   jsonb NOT NULL,
    disabled   boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
