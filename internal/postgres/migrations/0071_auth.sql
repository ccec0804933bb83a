-- +goose Up

-- Images by which somebody has logged in, by keyed hash: none counts twice.
CREATE TABLE auth_image (
    token bytea PRIMARY KEY,
    until timestamptz NOT NULL
);
CREATE INDEX auth_image_until ON auth_image (until);
