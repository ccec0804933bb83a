-- +goose Up
-- Messages are taken out of the outbox itself, without a job for each; what went out
-- is deleted at once.
DELETE FROM notify_outbox WHERE sealed IS NULL;
ALTER TABLE notify_outbox
    ALTER COLUMN sealed SET NOT NULL,
    DROP COLUMN sent_at,
    ADD COLUMN due_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN attempts int NOT NULL DEFAULT 0;
CREATE INDEX notify_outbox_due ON notify_outbox (due_at);
-- +goose StatementBegin
DO $$ BEGIN
    IF to_regclass('river_job') IS NOT NULL THEN
        DELETE FROM river_job WHERE kind = 'notify';
    END IF;
END $$;
-- +goose StatementEnd
