-- +goose Up

-- PINs and passwords: a slow hash of each, sealed under the person's own key.
CREATE TABLE auth_secret (
    person uuid NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('pin', 'password')),
    sealed bytea NOT NULL,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (person, kind)
);

-- Passkeys and the keys of wallets, found by keyed hashes of their ids.
CREATE TABLE auth_key (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('passkey', 'wallet')),
    lookup     bytea NOT NULL UNIQUE,
    person     uuid NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    expires_at timestamptz
);
CREATE INDEX auth_key_person ON auth_key (person);
CREATE INDEX auth_key_expires ON auth_key (expires_at) WHERE expires_at IS NOT NULL;

-- Challenges that were answered, by hash: none is answered twice.
CREATE TABLE auth_challenge (
    token      bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX auth_challenge_expires ON auth_challenge (expires_at);

-- Proofs of work that were taken: none counts twice.
CREATE TABLE auth_work (
    id         bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX auth_work_expires ON auth_work (expires_at);
