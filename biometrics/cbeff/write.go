package cbeff

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
)

const namespace = "http://standards.iso.org/iso-iec/19785/-3/ed-2/"

// The elements in the order that the schema wants.
type (
	version struct{ Major, Minor int }

	writtenInfo struct {
		Integrity bool
	}
	registryID struct{ Organization, Type string }

	writtenQuality struct {
		Algorithm registryID
		Score     int
	}
	writtenBDBInfo struct {
		Format       registryID
		CreationDate string `xml:",omitempty"`
		Type         string
		Subtype      string `xml:",omitempty"`
		Level        string `xml:",omitempty"`
		Purpose      string `xml:",omitempty"`
		Quality      *writtenQuality
	}
	writtenOthers struct {
		Entries []entry `xml:"entry"`
	}
	writtenBIR struct {
		Version      *version
		CBEFFVersion *version
		BIRInfo      writtenInfo
		BDBInfo      *writtenBDBInfo
		Children     []writtenBIR   `xml:"BIR"`
		BDB          string         `xml:",omitempty"`
		SB           string         `xml:",omitempty"`
		Others       *writtenOthers `xml:"others"`
	}
	document struct {
		XMLName xml.Name `xml:"BIR"`
		Space   string   `xml:"xmlns,attr"`
		writtenBIR
	}
)

// Write writes samples as one document.
func Write(records []Record) ([]byte, error) {
	if len(records) > maxRecords {
		return nil, fmt.Errorf("%w: more than %d records", ErrFormat, maxRecords)
	}
	top := document{Space: namespace}
	for _, r := range records {
		b, err := r.written()
		if err != nil {
			return nil, err
		}
		top.Children = append(top.Children, b)
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	e := xml.NewEncoder(&out)
	if err := e.Encode(top); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return append(out.Bytes(), '\n'), nil
}

func (r Record) written() (writtenBIR, error) {
	kind := map[biometrics.Modality]string{biometrics.Finger: "Finger", biometrics.Iris: "Iris", biometrics.Face: "Face"}[r.Position.Modality()]
	if _, known := subtypes[r.Position]; !known && r.Position != biometrics.FullFace {
		return writtenBIR{}, fmt.Errorf("%w: %q is no position", ErrFormat, r.Position)
	}
	info := &writtenBDBInfo{Format: registryID{"Mosip", strconv.Itoa(r.Format)}, Type: kind, Subtype: subtypes[r.Position], Level: r.Level, Purpose: r.Purpose}
	if !r.Created.IsZero() {
		info.CreationDate = r.Created.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if r.Quality >= 0 {
		organization, algorithm, _ := strings.Cut(r.Algorithm, "/")
		info.Quality = &writtenQuality{registryID{organization, algorithm}, r.Quality}
	}
	one := &version{1, 1}
	b := writtenBIR{Version: one, CBEFFVersion: one, BDBInfo: info, BDB: base64.StdEncoding.EncodeToString(r.Data), SB: base64.StdEncoding.EncodeToString(r.Signature)}
	others := maps.Clone(r.Others)
	if r.Exception {
		if others == nil {
			others = make(map[string]string)
		}
		others["EXCEPTION"] = "true"
	}
	if len(others) > 0 {
		b.Others = &writtenOthers{}
		for _, key := range slices.Sorted(maps.Keys(others)) {
			b.Others.Entries = append(b.Others.Entries, entry{key, others[key]})
		}
	}
	return b, nil
}
