package templates

// Problem tells that something went wrong, and what to do next.
type Problem struct {
	Kind      string // "invalid", "unauthenticated", "denied", "not-found", "conflict", "busy", "internal"
	Sentence  string // for internal problems empty: the catalogue speaks
	Fields    []FieldError
	RequestID string // to quote when asking for help
}

func (Problem) file() string           { return "problem.html" }
func (p Problem) errors() []FieldError { return p.Fields }
