-- +goose Up

-- Mail and text messages on their way. What is sealed is emptied when it has gone out.
CREATE TABLE notify_outbox (
    id         uuid PRIMARY KEY,
    sealed     bytea,
    queued_at  timestamptz NOT NULL,
    sent_at    timestamptz
);

-- The demo's inbox.
CREATE TABLE notify_inbox (
    id     uuid PRIMARY KEY,
    sealed bytea NOT NULL,
    at     timestamptz NOT NULL
);
CREATE INDEX notify_inbox_at ON notify_inbox (at DESC);
