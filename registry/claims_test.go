package registry

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

const grace = `{"fullName":[{"language":"eng","value":"Grace Hopper"},{"language":"fra","value":"Grâce Hopper"},{"language":"ara","value":"غريس هوبر"}],
	"givenName":[{"language":"eng","value":"Grace"}],"familyName":[{"language":"eng","value":"Hopper"}],
	"dateOfBirth":"1986/12/09","gender":[{"language":"eng","value":"FLE"},{"language":"fra","value":"Femme"}],
	"addressLine1":[{"language":"eng","value":"1 Compiler Street"},{"language":"fra","value":"1 rue du Compilateur"}],"addressLine2":[{"language":"eng","value":"Flat 2"}],
	"city":[{"language":"eng","value":"Arlington"}],"region":[{"language":"eng","value":"Virginia"}],"postalCode":"22201",
	"phone":"+12025550100","email":"grace@example.org","preferredLang":"fra"}`

// graceIn is Grace with what a test changes.
func graceIn(t *testing.T, w *world, change func(map[string]any)) uuid.UUID {
	t.Helper()
	var fields map[string]any
	must(t, json.Unmarshal([]byte(grace), &fields))
	if change != nil {
		change(fields)
	}
	return w.assign(t, NewIdentity{Application: uuid.New(), Fields: fields, Portrait: pngHead}).Person
}

func TestClaims(t *testing.T) {
	w := newWorld(t)
	person := graceIn(t, w, nil)
	i, err := w.Read(t.Context(), w.Pool, person)
	must(t, err)
	want := map[string]any{
		"name": "Grace Hopper", "given_name": "Grace", "family_name": "Hopper", "birthdate": "1986-12-09", "gender": "female",
		"email": "grace@example.org", "email_verified": false, "phone_number": "+12025550100", "phone_number_verified": false,
		"locale": "fr", "updated_at": i.Updated.Unix(), "picture": "data:image/png;base64,iVBORw0KGgo=",
		"address": map[string]any{"formatted": "1 Compiler Street\nFlat 2\nArlington\nVirginia\n22201", "street_address": "1 Compiler Street\nFlat 2",
			"locality": "Arlington", "region": "Virginia", "postal_code": "22201"},
	}
	got, err := w.Claims(t.Context(), w.Pool, person, ClaimNames(), []string{"en"})
	must(t, err)
	maps.Copy(want, map[string]any{"age_over_16": true, "age_over_18": true, "age_over_21": true, "age_over_65": false, "birth_year": 1986, "region": "Virginia"})
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: got %v, want %v", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want every claim and no more", slices.Sorted(maps.Keys(got)))
	}
}

func TestOnlyTheClaimsAskedForAreGiven(t *testing.T) {
	w := newWorld(t)
	person := graceIn(t, w, nil)
	for _, c := range []struct{ ask, want []string }{
		{nil, nil}, {[]string{"email"}, []string{"email"}}, {[]string{"uin", "vid", "fullName", "phone", "person", "portrait", ""}, nil},
		{[]string{"birthdate", "nickname"}, []string{"birthdate"}},
	} {
		got, err := w.Claims(t.Context(), w.Pool, person, c.ask, nil)
		if names := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(names, c.want) {
			t.Errorf("%v: got %v, %v; want %v", c.ask, names, err, c.want)
		}
	}
}

func TestClaimsOfAPersonWhoHasNoneAreLeftOut(t *testing.T) {
	w := newWorld(t)
	person := w.assign(t, NewIdentity{Application: uuid.New(), Fields: map[string]any{}}).Person
	got, err := w.Claims(t.Context(), w.Pool, person, ClaimNames(), []string{"en", "fr"})
	if names := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(names, []string{"updated_at"}) {
		t.Errorf("got %v, %v; want only when it was changed", names, err)
	}
}

func TestNamesComeInTheLanguagesAskedFor(t *testing.T) {
	w := newWorld(t)
	person := graceIn(t, w, nil)
	for _, c := range []struct {
		locales []string
		want    map[string]any
	}{
		{nil, map[string]any{"name": "Grace Hopper"}},
		{[]string{"fr"}, map[string]any{"name": "Grâce Hopper"}},
		{[]string{"fra"}, map[string]any{"name": "Grâce Hopper"}},
		{[]string{"fr-CA", "ar-MA"}, map[string]any{"name": "Grâce Hopper", "name#ar-MA": "غريس هوبر"}},
		{[]string{"de"}, map[string]any{"name": "Grace Hopper"}},
		{[]string{"en", "de", "fr"}, map[string]any{"name": "Grace Hopper", "name#fr": "Grâce Hopper"}},
		{[]string{"", "!!", strings.Repeat("x", 500)}, map[string]any{"name": "Grace Hopper"}},
	} {
		if got, err := w.Claims(t.Context(), w.Pool, person, []string{"name"}, c.locales); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: got %v, %v; want %v", c.locales, got, err, c.want)
		}
	}
	got, err := w.Claims(t.Context(), w.Pool, person, []string{"address"}, []string{"fr"})
	must(t, err)
	if a, _ := got["address"].(map[string]any); a["street_address"] != "1 rue du Compilateur\nFlat 2" {
		t.Errorf("got %v, want the street in French", a["street_address"])
	}
}

func TestGenderIsSaidAsOpenIDHasIt(t *testing.T) {
	for said, want := range map[string]string{"FLE": "female", "MLE": "male", "F": "female", "m": "male", "Female": "female", "Other": "other", "": ""} {
		i := Identity{Fields: map[string]any{"gender": []any{map[string]any{"language": "eng", "value": said}}}}
		if got := i.Gender(); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

// What the schema lets through must not bring the reader down.
func TestFieldsOfOddShapesAreNoText(t *testing.T) {
	for _, v := range []any{nil, 3.0, true, []any{}, []any{"Ada"}, []any{map[string]any{"value": 3}}, []any{nil}, map[string]any{"value": "Ada"}} {
		i := Identity{Fields: map[string]any{"fullName": v}}
		if got := i.Name("eng"); got != "" || len(i.Languages("fullName")) != 0 {
			t.Errorf("%v: got %q, want nothing", v, got)
		}
	}
}
