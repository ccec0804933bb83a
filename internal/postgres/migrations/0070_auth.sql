-- +goose Up

-- One-time codes: only a keyed hash, whose key is not in the database.
CREATE TABLE auth_code (
    id          uuid PRIMARY KEY,
    transaction bytea NOT NULL,
    person      uuid NOT NULL,
    code        bytea NOT NULL,
    tries       int NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX auth_code_transaction ON auth_code (transaction);
CREATE INDEX auth_code_expires ON auth_code (expires_at);

-- Budgets: how often something may still be tried in a window of time.
CREATE TABLE auth_limit (
    key   bytea PRIMARY KEY,
    used  int NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX auth_limit_until ON auth_limit (until);
