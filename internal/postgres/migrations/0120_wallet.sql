-- +goose Up
-- Cards of wallets in browsers, as ciphertext whose key we never have. No column says
-- whose they are: the identifier comes of the owner's passkey, and is kept as a hash.
CREATE TABLE wallet_blob (
	id         bytea PRIMARY KEY CHECK (length(id) = 32), -- SHA-256 of the identifier
	key        bytea NOT NULL,                            -- public key that may change or delete it (PKIX)
	sealed     bytea NOT NULL CHECK (length(sealed) <= 2097152),
	edition    bigint NOT NULL,                           -- grows by one at every change
	changed_on date NOT NULL                              -- a day: moments would tell of habits
);
CREATE INDEX wallet_blob_changed ON wallet_blob (changed_on);
