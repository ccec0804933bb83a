-- +goose Up

-- A key is published before it signs: so there is a next one.
ALTER TABLE key_domain DROP CONSTRAINT key_domain_state_check;
ALTER TABLE key_domain ADD CONSTRAINT key_domain_state_check CHECK (state IN ('current', 'next', 'retired'));
CREATE UNIQUE INDEX key_domain_next ON key_domain (domain) WHERE state = 'next';
