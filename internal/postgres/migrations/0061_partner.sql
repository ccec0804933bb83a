-- +goose Up

-- What a relying party proves itself with, hashed, apart from what is shown of it.
ALTER TABLE partner_client ADD COLUMN secrets jsonb, ADD COLUMN manager bytea;
