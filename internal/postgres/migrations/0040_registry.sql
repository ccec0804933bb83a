-- +goose Up

-- The identity repository. Everything about a person is sealed under the
-- person's own key; a row is found by keyed hashes of its numbers.
CREATE TABLE registry_identity (
    person      uuid PRIMARY KEY,
    application uuid NOT NULL UNIQUE,
    uin_lookup  bytea NOT NULL UNIQUE,
    uin         bytea NOT NULL,
    fields      bytea NOT NULL,
    portrait    bytea,
    status      text NOT NULL CHECK (status IN ('active', 'deactivated', 'blocked')),
    schema      text NOT NULL,
    revision    int NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

CREATE TABLE registry_template (
    person   uuid NOT NULL,
    position text NOT NULL,
    sealed   bytea NOT NULL,
    PRIMARY KEY (person, position)
);

CREATE TABLE registry_vid (
    vid_lookup bytea PRIMARY KEY,
    person     uuid NOT NULL,
    sealed     bytea NOT NULL,
    state      text NOT NULL CHECK (state IN ('active', 'revoked')),
    created_at timestamptz NOT NULL
);
CREATE INDEX registry_vid_person ON registry_vid (person);

-- The name by which one relying party (or one sector of them) knows a person.
CREATE TABLE registry_pairwise (
    sector_person bytea PRIMARY KEY,
    sealed        bytea NOT NULL
);

CREATE TABLE registry_schema (
    version   text PRIMARY KEY,
    document  text NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- How many numbers have been given out, spread over rows so that nobody waits.
CREATE TABLE registry_issued (
    shard  int PRIMARY KEY,
    issued bigint NOT NULL
);
INSERT INTO registry_issued SELECT n, 0 FROM generate_series(0, 63) n;
