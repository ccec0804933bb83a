-- +goose Up

-- An application on its way from a packet to a number. Nothing of the person is
-- here: that is in the packet, sealed, and after that in the registry.
CREATE TABLE enrol_application (
    id            uuid PRIMARY KEY,
    packet        uuid NOT NULL UNIQUE,
    digest        bytea NOT NULL,
    station       uuid NOT NULL,
    officer       uuid NOT NULL,
    submitter     uuid NOT NULL,
    process       text NOT NULL,
    state         text NOT NULL CHECK (state IN ('received', 'checked', 'compared', 'doubtful', 'unique',
        'assigned', 'notified', 'rejected', 'quarantined')),
    stopped_at    text CHECK ((stopped_at IS NOT NULL) = (state = 'quarantined')),
    reason_code   text NOT NULL DEFAULT '',
    reason        text NOT NULL DEFAULT '',
    waits_for     uuid,
    person        uuid UNIQUE,
    attempts      int NOT NULL DEFAULT 0,
    claimed_by    bigint NOT NULL DEFAULT 0,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    received_at   timestamptz NOT NULL,
    moved_at      timestamptz NOT NULL,
    moves         int NOT NULL DEFAULT 0
);
CREATE INDEX enrol_application_working ON enrol_application (claimed_until)
    WHERE state IN ('received', 'checked', 'compared', 'unique', 'assigned') AND waits_for IS NULL;
CREATE INDEX enrol_application_waiting ON enrol_application (waits_for) WHERE waits_for IS NOT NULL;

CREATE TABLE enrol_move (
    application uuid NOT NULL REFERENCES enrol_application (id),
    n           int NOT NULL,
    state       text NOT NULL,
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (application, n)
);

-- The line of all applicants, as the gallery of one against all: the place says
-- who stands before whom. A removed entry keeps its place and nothing else.
CREATE TABLE enrol_gallery (
    ref         uuid PRIMARY KEY,
    application uuid NOT NULL UNIQUE REFERENCES enrol_application (id),
    place       bigint UNIQUE,
    sealed      bytea,
    tokens      bytea[] NOT NULL,
    removed     boolean NOT NULL DEFAULT false,
    CHECK (removed = (sealed IS NULL))
);
CREATE INDEX enrol_gallery_tokens ON enrol_gallery USING gin (tokens);

CREATE TABLE enrol_case (
    id           uuid PRIMARY KEY,
    application  uuid NOT NULL UNIQUE REFERENCES enrol_application (id),
    kind         text NOT NULL CHECK (kind IN ('similar-fingers', 'same-data', 'no-fingers')),
    opened_at    timestamptz NOT NULL,
    decided_at   timestamptz,
    duplicate_of uuid
);
CREATE INDEX enrol_case_open ON enrol_case (opened_at) WHERE decided_at IS NULL;

-- With whom an applicant may be one person, and why we think so.
CREATE TABLE enrol_candidate (
    opened      uuid NOT NULL REFERENCES enrol_case (id),
    application uuid NOT NULL REFERENCES enrol_application (id),
    score       double precision NOT NULL,
    fingers     int NOT NULL,
    same_data   boolean NOT NULL,
    PRIMARY KEY (opened, application)
);

CREATE TABLE enrol_verdict (
    opened       uuid NOT NULL REFERENCES enrol_case (id),
    officer      uuid NOT NULL,
    duplicate_of uuid,
    reason       bytea NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (opened, officer)
);
