package enrol

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/fault"
)

var (
	documentForm    = regexp.MustCompile(`^proofOf[A-Z][A-Za-z]{1,40}$`)
	documentFormats = map[string]bool{"pdf": true, "png": true, "jpg": true, "tif": true}
	sampleFormats   = map[string]bool{"png": true, "jpg": true, "bmp": true, "tif": true, "wsq": true, "jp2": true, isoRecord: true}
	spelled         = map[string]string{"jpeg": "jpg", "tiff": "tif"}
)

const (
	personFile = "person.json"
	bundleFile = "biometrics.xml" // CBEFF: every sample in one file
)

var errDirectory = fault.New(fault.Invalid, "This enrolment directory cannot be made into a packet. Correct the files that are named.").Named("directory-invalid")

// Build makes a signed and sealed packet of an enrolment directory: person.json,
// documents by category (proofOfAddress.pdf), images by position (rightIndex.png).
func Build(dir fs.FS, by Seal) ([]byte, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, errDirectory.Because(err)
	}
	var c contents
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue // what programs keep there for themselves
		}
		if err := c.add(dir, entry); err != nil {
			return nil, err
		}
	}
	if c.Person == nil {
		return nil, errDirectory.At(personFile, "is missing")
	}
	p, err := parsePerson(c.Person)
	if err != nil {
		return nil, err
	}
	if err := p.admissible(); err != nil {
		return nil, err
	}
	if len(c.Documents) > maxDocuments || len(c.Samples) > maxSamples {
		return nil, errTooLarge
	}
	slices.SortFunc(c.Documents, func(a, b document) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Samples, func(a, b sample) int { return cmp.Compare(a.Position, b.Position) })
	slices.SortFunc(c.Signed, func(a, b signed) int { return cmp.Compare(a.Position, b.Position) })
	for i := 1; i < len(c.Documents); i++ {
		if c.Documents[i].Name == c.Documents[i-1].Name {
			return nil, errDirectory.At(c.Documents[i].Name, "is there twice; keep one file of a category")
		}
	}
	for i := 1; i < len(c.Samples); i++ {
		if c.Samples[i].Position == c.Samples[i-1].Position {
			return nil, errDirectory.At(string(c.Samples[i].Position), "is there twice; keep one image of a position")
		}
	}
	for _, s := range c.Samples {
		if _, err := s.picture(); err != nil { // the server would refuse it; here it can still be captured again
			return nil, err
		}
	}
	if err := c.checkSigned(); err != nil {
		return nil, err
	}
	return by.close(c)
}

// add takes one file in.
func (c *contents) add(dir fs.FS, entry fs.DirEntry) error {
	file := entry.Name()
	if !entry.Type().IsRegular() {
		return errDirectory.At(file, "must be a plain file")
	}
	extension := strings.TrimPrefix(path.Ext(file), ".")
	name, format := strings.TrimSuffix(file, path.Ext(file)), strings.ToLower(extension)
	format = cmp.Or(spelled[format], format)
	position, err := biometrics.ParsePosition(name)
	switch {
	case file == personFile:
		c.Person, err = read(dir, file, maxPerson)
		return err
	case file == bundleFile:
		raw, err := read(dir, file, MaxPacket)
		if err != nil {
			return err
		}
		return c.unbundle(raw)
	case err == nil && sampleFormats[format]:
		data, err := read(dir, file, maxSample)
		c.Samples = append(c.Samples, sample{Position: position, Format: format, Data: data})
		return err
	case documentForm.MatchString(name) && documentFormats[format]:
		data, err := read(dir, file, maxDocument)
		c.Documents = append(c.Documents, document{Name: name, Format: format, Data: data})
		return err
	}
	return errDirectory.At(file, "is unknown; a file is person.json, a position with png, jpg, bmp, tif, wsq, jp2 or iso (rightIndex.png, face.jpg), biometrics.xml, or a document (proofOfAddress.pdf)")
}

// read reads a file that must be small.
func read(dir fs.FS, file string, most int64) ([]byte, error) {
	f, err := dir.Open(file)
	if err != nil {
		return nil, errDirectory.At(file, "cannot be read").Because(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errDirectory.At(file, "cannot be read").Because(err)
	}
	if int64(len(data)) > most {
		return nil, errTooLarge.At(file, "is too large")
	}
	if len(data) == 0 {
		return nil, errDirectory.At(file, "is empty")
	}
	return data, nil
}
