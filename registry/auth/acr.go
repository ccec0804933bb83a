package auth

import (
	"slices"
)

// Method is one way to prove who one is.
type Method string

// The methods.
const (
	ByKnowledge  Method = "knowledge" // what the registry knows about the person
	ByPIN        Method = "pin"
	ByPassword   Method = "password"
	ByCode       Method = "code" // sent to the phone or mail address of the person
	ByFinger     Method = "finger"
	ByIris       Method = "iris"
	ByFace       Method = "face"
	ByPasskey    Method = "passkey"
	ByWallet     Method = "wallet"     // whose key was bound to the person
	ByCredential Method = "credential" // one of ours, shown from any wallet (OpenID4VP)
)

// kinds say what a method rests on. A passkey and a wallet each ask the person
// for a PIN or a finger before their key signs, so they are two kinds in one.
var kinds = map[Method][]string{
	ByKnowledge: {"knows"}, ByPIN: {"knows"}, ByPassword: {"knows"}, ByCode: {"has"},
	ByFinger: {"is"}, ByIris: {"is"}, ByFace: {"is"}, ByPasskey: {"has", "unlocks"}, ByWallet: {"has", "unlocks"}, ByCredential: {"has", "unlocks"},
}

// references are the names of RFC 8176.
var references = map[Method]string{ByKnowledge: "kba", ByPIN: "pin", ByPassword: "pwd", ByCode: "otp",
	ByFinger: "fpt", ByIris: "iris", ByFace: "face", ByPasskey: "swk", ByWallet: "pop", ByCredential: "pop"}

// Level is how sure one may be of who was proven: the levels of assurance of
// eIDAS (Implementing Regulation 2015/1502), and beside each the authenticator
// assurance level of NIST SP 800-63B that it compares to.
type Level int

// The levels.
const (
	Low         Level = 1 // one method: AAL1
	Substantial Level = 2 // two kinds of method: AAL2
	High        Level = 3 // a passkey, whose key cannot be phished, and the body of the person: AAL3
)

// LevelOf is the level that methods reach together. A wallet's key signs what a
// picture on any screen asked it for, and the number that is compared can be read out to
// a deceiver: that is no resistance to a high attack potential (2015/1502, annex 2.3.1)
// nor to an impersonated verifier (SP 800-63B, AAL3), whatever is shown beside it. The
// key of a passkey signs for the origin that the browser sees.
func LevelOf(methods []Method) Level {
	var all []string
	for _, m := range methods {
		all = append(all, kinds[m]...)
	}
	has := func(kind string) bool { return slices.Contains(all, kind) }
	slices.Sort(all)
	distinct := len(slices.Compact(slices.Clone(all)))
	switch {
	case distinct == 0:
		return 0
	case slices.Contains(methods, ByPasskey) && has("is"):
		return High
	case distinct > 1:
		return Substantial
	}
	return Low
}

// Authentication context class references (OpenID Connect Core 2). Those of
// eSignet name a method; those of eIDAS and NIST a level.
const (
	ACRKnowledge   = "mosip:idp:acr:knowledge"
	ACRPIN         = "mosip:idp:acr:static-code"
	ACRPassword    = "mosip:idp:acr:password"
	ACRCode        = "mosip:idp:acr:generated-code"
	ACRBiometrics  = "mosip:idp:acr:biometrics"
	ACRWallet      = "mosip:idp:acr:linked-wallet"
	ACRPasskey     = "urn:plinth:acr:passkey"
	ACRCredential  = "urn:plinth:acr:credential"
	ACRLow         = "http://eidas.europa.eu/LoA/low"
	ACRSubstantial = "http://eidas.europa.eu/LoA/substantial"
	ACRHigh        = "http://eidas.europa.eu/LoA/high"
)

// class is a context class: the methods that are it, or the level that reaches it.
type class struct {
	name    string
	methods []Method
	level   Level
}

// classes begin with the weakest. Those of a method are beside the levels, not below
// them: the level of one is what it reaches by itself, and only orders the list.
var classes = []class{
	{ACRKnowledge, []Method{ByKnowledge}, Low},
	{ACRPIN, []Method{ByPIN}, Low},
	{ACRPassword, []Method{ByPassword}, Low},
	{ACRCode, []Method{ByCode}, Low},
	{ACRBiometrics, []Method{ByFinger, ByIris, ByFace}, Low},
	{"urn:nist:800-63:aal1", nil, Low},
	{ACRLow, nil, Low},
	{ACRWallet, []Method{ByWallet}, Substantial},
	{ACRCredential, []Method{ByCredential}, Substantial},
	{ACRPasskey, []Method{ByPasskey}, Substantial},
	{"urn:nist:800-63:aal2", nil, Substantial},
	{ACRSubstantial, nil, Substantial},
	{"urn:nist:800-63:aal3", nil, High},
	{ACRHigh, nil, High},
}

// ACRs lists the values of acr, the weakest first.
func ACRs() []string {
	var names []string
	for _, c := range classes {
		names = append(names, c.name)
	}
	return names
}

// Meets tells whether methods are what a class asks for. A class that names methods is
// met by one of them and by nothing else: whoever asks for a biometric must not be told
// of one when a key was used, however strong. A level is met by itself and those above.
func Meets(acr string, methods []Method) bool {
	at := slices.IndexFunc(classes, func(c class) bool { return c.name == acr })
	if at < 0 {
		return false
	}
	c := classes[at]
	if c.methods == nil {
		return LevelOf(methods) >= c.level
	}
	return slices.ContainsFunc(methods, func(m Method) bool { return slices.Contains(c.methods, m) })
}

// Reached is the class that a login is called: the first that was wished for and
// is met, or else the strongest that names a method of it.
func Reached(wished []string, methods []Method) string {
	for _, acr := range wished {
		if Meets(acr, methods) {
			return acr
		}
	}
	level := LevelOf(methods)
	if level > Low && len(methods) > 1 {
		return map[Level]string{Substantial: ACRSubstantial, High: ACRHigh}[level]
	}
	for _, c := range slices.Backward(classes) {
		if slices.ContainsFunc(methods, func(m Method) bool { return slices.Contains(c.methods, m) }) {
			return c.name
		}
	}
	return ""
}

// Useful tells which of the methods that are on offer lead to one of the classes
// that are wished for, after those that were used: at once, or with one more.
func Useful(wished []string, used, offered []Method) []Method {
	meets := func(methods []Method) bool {
		return len(wished) == 0 || slices.ContainsFunc(wished, func(acr string) bool { return Meets(acr, methods) })
	}
	var useful []Method
	for _, m := range offered {
		with := append(slices.Clone(used), m)
		if slices.Contains(used, m) {
			continue
		}
		if meets(with) || slices.ContainsFunc(offered, func(n Method) bool {
			return n != m && meets(append(slices.Clone(with), n)) && !meets(append(slices.Clone(used), n))
		}) {
			useful = append(useful, m)
		}
	}
	return useful
}

// amr names methods as RFC 8176 does.
func amr(methods []Method) []string {
	var names []string
	for _, m := range methods {
		names = append(names, references[m])
	}
	if LevelOf(methods) > Low {
		names = append(names, "mfa")
	}
	return names
}
