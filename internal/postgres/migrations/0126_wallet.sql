-- +goose Up
-- A wallet that its owner never opened again after it was made is forgotten within weeks,
-- or strangers could keep what they like here for years. Those that exist count as opened.
ALTER TABLE wallet_blob ADD COLUMN opened_on date; -- the last day on which it was read; null: never
UPDATE wallet_blob SET opened_on = changed_on;
