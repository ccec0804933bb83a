-- +goose Up
-- A request that a browser makes of wallets by itself is asked, and not confirmed before a wallet has answered. Of one login
-- there are a few requests, and no more.
ALTER TABLE oidc_shown DROP CONSTRAINT oidc_shown_state_check;
ALTER TABLE oidc_shown ADD CONSTRAINT oidc_shown_state_check CHECK (state IN ('open', 'asked', 'confirmed', 'refused', 'done'));
ALTER TABLE oidc_shown ADD COLUMN visit uuid;    -- the login that it is for
ALTER TABLE oidc_shown ADD COLUMN browser jsonb; -- what the browser asks, to be given again
CREATE INDEX oidc_shown_visit ON oidc_shown (visit);
