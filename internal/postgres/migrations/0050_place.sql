-- +goose Up

CREATE TABLE place_officer (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    role       text NOT NULL CHECK (role IN ('operator', 'adjudicator', 'administrator')),
    password   text NOT NULL,
    disabled   boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);

-- Only the hash of a session's token is kept.
CREATE TABLE place_session (
    token_hash bytea PRIMARY KEY,
    officer    uuid NOT NULL REFERENCES place_officer (id),
    begun_at   timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
);
CREATE INDEX place_session_officer ON place_session (officer);

-- Failed sign-ins, counted per name and address range.
CREATE TABLE place_attempt (
    key      bytea PRIMARY KEY,
    failures int NOT NULL,
    until    timestamptz NOT NULL
);

CREATE TABLE place_station (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    public     bytea NOT NULL UNIQUE,
    disabled   boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
