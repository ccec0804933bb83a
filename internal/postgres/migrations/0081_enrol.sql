-- +goose Up

-- What is known of an application's samples beside their pictures: quality, device,
-- presentation attack detection; sealed.
ALTER TABLE enrol_application ADD COLUMN shots bytea;

-- Keyed hashes of the images, by which the same image is found again.
ALTER TABLE enrol_gallery ADD COLUMN images bytea[] NOT NULL DEFAULT '{}';
CREATE INDEX enrol_gallery_images ON enrol_gallery USING gin (images);

ALTER TABLE enrol_case DROP CONSTRAINT enrol_case_kind_check;
ALTER TABLE enrol_case ADD CONSTRAINT enrol_case_kind_check CHECK (kind IN ('similar-fingers', 'same-data', 'no-fingers', 'same-image'));
ALTER TABLE enrol_candidate ADD COLUMN same_image boolean NOT NULL DEFAULT false;

-- How good samples are, by station and week. Nobody is named here, nor can be counted
-- back: rows are sums.
CREATE TABLE enrol_site (
    station  uuid NOT NULL,
    week     date NOT NULL,
    modality text NOT NULL,
    item     text NOT NULL,
    n        bigint NOT NULL,
    PRIMARY KEY (station, week, modality, item)
);
CREATE INDEX enrol_site_week ON enrol_site (week);
