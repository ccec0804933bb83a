-- +goose Up
-- A browser that proves its person anew gets another cookie: one that was stolen before is worth no more than it was.
ALTER TABLE oidc_session ADD COLUMN generation integer NOT NULL DEFAULT 0;
