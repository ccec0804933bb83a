-- +goose Up
-- Places are no longer drawn one by one: a process takes a block of them, and a keyed permutation says where they lie.
-- A place that is valid has no row; so a list costs nothing until something in it is revoked or suspended.
CREATE TABLE status_change (
    list       bigint NOT NULL,
    idx        integer NOT NULL CHECK (idx >= 0 AND idx < 131072),
    value      smallint NOT NULL CHECK (value IN (0, 1, 2)),
    version    integer NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (list, idx)
);
INSERT INTO status_change (list, idx, value, changed_at)
    SELECT list, idx, 1, revoked_at FROM status_entry WHERE revoked_at IS NOT NULL;
DROP TABLE status_entry;

-- The lists of before were filled at random, and stay as they are.
DROP INDEX status_list_open;
ALTER TABLE status_list DROP COLUMN purpose;
ALTER TABLE status_list ADD COLUMN taken integer NOT NULL DEFAULT 131072 CHECK (taken >= 0 AND taken <= 131072);
UPDATE status_list SET open = false;
-- One list is being filled at a time, so that none stays so empty that its entries can be told apart.
CREATE UNIQUE INDEX status_list_open ON status_list (open) WHERE open;
