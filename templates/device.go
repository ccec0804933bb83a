package templates

// Device asks for the code of a login that was begun elsewhere.
type Device struct {
	Kind  string // "device": on another device; "ciba": by a call
	Code  string
	Wrong bool
}

func (Device) file() string { return "device.html" }

// DeviceDone tells that it goes on where it was begun.
type DeviceDone struct{ Denied bool }

func (DeviceDone) file() string { return "devicedone.html" }
