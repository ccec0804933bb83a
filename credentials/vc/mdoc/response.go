package mdoc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// VerifyResponse checks a DeviceResponse in CBOR: each document of it as Verify does,
// and that the device it is bound to signed this very session. The error is of the
// first document that has one; ErrExpired and ErrNotYetValid mean that all else is
// good in every one of them.
func VerifyResponse(raw []byte, session Transcript, o VerifyOptions) ([]Verified, error) {
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), maxBytes)
	}
	var r receivedResponse
	if err := unmarshal(raw, &r); err != nil {
		return nil, err
	}
	switch {
	case !strings.HasPrefix(r.Version, "1."):
		return nil, fmt.Errorf("%w: another version", ErrUnsupported)
	case r.Status != 0:
		return nil, ErrDeclined
	case len(r.Documents) == 0:
		return nil, fmt.Errorf("%w: a response without documents", ErrMalformed)
	case len(r.Documents) > maxDocuments:
		return nil, fmt.Errorf("%w: %d documents, at most %d", ErrTooLarge, len(r.Documents), maxDocuments)
	}
	all := make([]Verified, len(r.Documents))
	var late error
	for k, received := range r.Documents {
		v, err := received.verify(session, o)
		switch {
		case err != nil && v.Document == nil:
			return nil, err
		case err != nil && late == nil:
			late = err
		}
		all[k] = v
	}
	return all, late
}

// receivedResponse is a deviceResponse whose documents are read one by one.
type receivedResponse struct {
	Version   string             `cbor:"version"`
	Documents []receivedDocument `cbor:"documents"`
	Status    uint64             `cbor:"status"`
}

type receivedDocument struct {
	DocType string       `cbor:"docType"`
	Issuer  encoded      `cbor:"issuerSigned"`
	Device  deviceSigned `cbor:"deviceSigned"`
}

func (r receivedDocument) verify(session Transcript, o VerifyOptions) (Verified, error) {
	d, err := Parse(r.Issuer)
	if err != nil {
		return Verified{}, err
	}
	v, late := d.verify(o)
	switch {
	case v.Document == nil:
		return Verified{}, late
	case r.DocType != d.DocType:
		return Verified{}, ErrDocType
	}
	if err := d.checkDevice(r.Device, session); err != nil {
		return Verified{}, err
	}
	if v.DeviceStated, err = d.stated(r.Device.NameSpaces); err != nil {
		return Verified{}, err
	}
	return v, late
}

// checkDevice checks that the device signed this session (9.1.3).
func (d *Document) checkDevice(s deviceSigned, session Transcript) error {
	switch {
	case s.Auth.Signature == nil && len(s.Auth.MAC) > 0:
		return ErrDeviceMAC
	case s.Auth.Signature == nil || len(s.Auth.MAC) > 0:
		return fmt.Errorf("%w: it takes one signature of the device", ErrMalformed)
	case s.Auth.Signature.Payload != nil:
		return fmt.Errorf("%w: the device's signature brings its own contents", ErrMalformed)
	}
	payload, err := deviceAuthentication(session, d.DocType, s.NameSpaces)
	if err != nil {
		return err
	}
	good, err := s.Auth.Signature.verify(d.DeviceKey, payload)
	if err == nil && !good {
		return ErrDeviceSignature
	}
	return err
}

// stated reads what the device says itself, which the issuer must have allowed (9.1.2.4).
func (d *Document) stated(raw encoded) (map[string]map[string]any, error) {
	var spaces map[string]map[string]any
	if err := raw.read(&spaces); err != nil {
		return nil, err
	}
	allowed := d.object.DeviceKeyInfo.Authorizations
	for _, space := range slices.Sorted(maps.Keys(spaces)) {
		for name, value := range spaces[space] {
			if allowed == nil || !slices.Contains(allowed.NameSpaces, space) && !slices.Contains(allowed.Elements[space], name) {
				return nil, ErrUnauthorized
			}
			var err error
			if spaces[space][name], err = readable(value); err != nil {
				return nil, err
			}
		}
	}
	return spaces, nil
}
