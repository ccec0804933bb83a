// Package fault holds the kinds of failure that a caller can tell apart, each
// with the one sentence that may be shown to the person who met it.
package fault

import "errors"

// Kind says what a caller can do about a failure.
type Kind int

// The kinds. The zero Kind is Internal: nothing the caller did, and nothing
// that may be explained to them.
const (
	Internal Kind = iota
	Invalid
	Unauthenticated
	Denied
	NotFound
	Conflict
	Busy
)

var kinds = [...]string{"internal", "invalid", "unauthenticated", "denied", "not-found", "conflict", "busy"}

// String is the kind as a slug; it is the code of a fault that has none of its own.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kinds) {
		return kinds[Internal]
	}
	return kinds[k]
}

// Field is one input that broke a rule. It never holds the input itself.
type Field struct {
	Name string `json:"name"`
	Rule string `json:"rule"`
}

// Fault is a failure whose Sentence may be shown. What lies behind it (Because)
// is for the log alone.
type Fault struct {
	Kind     Kind
	Code     string
	Sentence string
	Fields   []Field
	cause    error
}

// New makes a fault. The sentence tells the person what to do next.
func New(kind Kind, sentence string) *Fault {
	return &Fault{Kind: kind, Code: kind.String(), Sentence: sentence}
}

// Named gives the fault a stable code, a slug such as "packet-tampered".
func (f *Fault) Named(code string) *Fault {
	g := f.copy()
	g.Code = code
	return g
}

// Because keeps what lies behind the fault, for the log.
func (f *Fault) Because(err error) *Fault {
	g := f.copy()
	g.cause = err
	return g
}

// At adds one input that broke a rule.
func (f *Fault) At(field, rule string) *Fault {
	g := f.copy()
	g.Fields = append(g.Fields, Field{Name: field, Rule: rule})
	return g
}

// Faults are shared as package variables, so no method may change its receiver.
func (f *Fault) copy() *Fault {
	g := *f
	g.Fields = append([]Field(nil), f.Fields...)
	return &g
}

// Error is the sentence and what lies behind it: for the log, never for an answer.
func (f *Fault) Error() string {
	text := f.Sentence
	for _, field := range f.Fields {
		text += " [" + field.Name + ": " + field.Rule + "]"
	}
	if f.cause != nil {
		text += " (" + f.cause.Error() + ")"
	}
	return text
}

// Unwrap returns what lies behind the fault.
func (f *Fault) Unwrap() error { return f.cause }

// Is reports whether err is, or wraps, a fault of this kind. The outermost fault
// decides: wrapping one fault in another means to judge it anew.
func Is(err error, kind Kind) bool {
	var f *Fault
	return errors.As(err, &f) && f.Kind == kind
}

// Of returns the fault that err is or wraps, and a general Internal one for
// anything else, so that no text that was not meant for people can reach them.
// Of(nil) is nil.
func Of(err error) *Fault {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return New(Internal, "Something went wrong on our side. Nothing was lost; please try again in a few minutes.").Because(err)
}
