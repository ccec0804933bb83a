-- +goose Up

-- How it was found out who a person is, sealed under the person's own key. Null:
-- enrolled before that was kept.
ALTER TABLE registry_identity ADD COLUMN vetting bytea;
