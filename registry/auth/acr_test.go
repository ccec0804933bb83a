package auth

import (
	"slices"
	"testing"
)

func TestALevelRestsOnKindsThatDiffer(t *testing.T) {
	for _, c := range []struct {
		methods []Method
		want    Level
	}{
		{nil, 0}, {[]Method{ByCode}, Low}, {[]Method{ByPIN, ByPassword, ByKnowledge}, Low}, {[]Method{ByFinger}, Low}, {[]Method{ByFinger, ByFace}, Low},
		{[]Method{ByCode, ByPIN}, Substantial}, {[]Method{ByCode, ByFinger}, Substantial}, {[]Method{ByPasskey}, Substantial}, {[]Method{ByWallet, ByPIN}, Substantial},
		{[]Method{ByPasskey, ByFinger}, High}, {[]Method{ByCode, ByFace, ByPasskey}, High},
		// A wallet or a credential may have been asked by a picture that a deceiver sent on.
		{[]Method{ByFace, ByWallet}, Substantial}, {[]Method{ByCredential, ByFinger}, Substantial}, {[]Method{ByCredential, ByWallet, ByIris}, Substantial}, {[]Method{ByWallet}, Substantial},
	} {
		if got := LevelOf(c.methods); got != c.want {
			t.Errorf("%v: got level %d, want %d", c.methods, got, c.want)
		}
	}
}

func TestAClassIsMetByItsOwnMethodAndALevelByThoseAbove(t *testing.T) {
	for _, c := range []struct {
		acr     string
		methods []Method
		want    bool
	}{
		{ACRCode, []Method{ByCode}, true}, {ACRCode, []Method{ByPIN}, false}, {ACRCode, []Method{ByFinger}, false}, {ACRCode, []Method{ByPasskey}, false},
		{ACRCode, []Method{ByWallet}, false}, {ACRCode, []Method{ByPIN, ByCode}, true}, {ACRBiometrics, []Method{ByWallet}, false}, {ACRBiometrics, []Method{ByCode, ByPIN}, false},
		{ACRBiometrics, []Method{ByPasskey}, false}, {ACRBiometrics, []Method{ByPasskey, ByIris}, true}, {ACRKnowledge, []Method{ByPasskey, ByFinger}, false},
		{ACRHigh, []Method{ByWallet, ByFinger}, false}, {"urn:nist:800-63:aal3", []Method{ByCredential, ByFace}, false}, {"urn:nist:800-63:aal3", []Method{ByPasskey, ByFace}, true},
		{ACRLow, []Method{ByPasskey, ByFinger}, true}, {ACRSubstantial, []Method{ByPasskey, ByFinger}, true},
		{ACRWallet, []Method{ByPasskey}, false}, {ACRWallet, []Method{ByPasskey, ByFinger}, false}, {ACRLow, []Method{ByKnowledge}, true},
		{ACRSubstantial, []Method{ByCode}, false}, {ACRSubstantial, []Method{ByCode, ByFinger}, true}, {ACRHigh, []Method{ByPasskey}, false}, {"made-up", []Method{ByPasskey, ByFace}, false},
	} {
		if got := Meets(c.acr, c.methods); got != c.want {
			t.Errorf("%s by %v: got %v, want %v", c.acr, c.methods, got, c.want)
		}
	}
}

func TestALoginIsCalledWhatWasWishedForWhenItIsThat(t *testing.T) {
	for _, c := range []struct {
		wished  []string
		methods []Method
		want    string
	}{
		{nil, []Method{ByCode}, ACRCode}, {[]string{ACRLow}, []Method{ByCode}, ACRLow}, {[]string{ACRHigh, ACRCode}, []Method{ByCode}, ACRCode},
		{[]string{ACRHigh}, []Method{ByCode}, ACRCode}, {nil, []Method{ByCode, ByFinger}, ACRSubstantial}, {nil, []Method{ByPasskey}, ACRPasskey}, {nil, nil, ""},
		{[]string{ACRBiometrics}, []Method{ByWallet}, ACRWallet}, {[]string{ACRBiometrics, ACRCode}, []Method{ByPasskey}, ACRPasskey}, {[]string{ACRHigh}, []Method{ByWallet, ByFinger}, ACRSubstantial},
	} {
		if got := Reached(c.wished, c.methods); got != c.want {
			t.Errorf("%v by %v: got %s, want %s", c.wished, c.methods, got, c.want)
		}
	}
}

func TestOnlyMethodsThatLeadSomewhereAreOffered(t *testing.T) {
	offered := []Method{ByCode, ByPIN, ByFinger, ByPasskey}
	for _, c := range []struct {
		wished []string
		used   []Method
		want   []Method
	}{
		{nil, nil, offered}, {[]string{ACRCode}, nil, []Method{ByCode}}, {[]string{ACRBiometrics}, []Method{ByPasskey}, []Method{ByFinger}}, {[]string{ACRHigh}, nil, []Method{ByFinger, ByPasskey}},
		{[]string{ACRHigh}, []Method{ByPasskey}, []Method{ByFinger}}, {[]string{ACRSubstantial}, []Method{ByPIN}, []Method{ByCode, ByFinger, ByPasskey}},
		{[]string{ACRWallet}, []Method{ByCode}, nil}, {[]string{ACRWallet, ACRBiometrics}, nil, []Method{ByFinger}},
	} {
		if got := Useful(c.wished, c.used, offered); !slices.Equal(got, c.want) {
			t.Errorf("%v after %v: got %v, want %v", c.wished, c.used, got, c.want)
		}
	}
}
