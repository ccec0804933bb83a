package card

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestTemplatesThatComeAlongSayEverything in every language of ours.
func TestTemplatesThatComeAlongSayEverything(t *testing.T) {
	for _, name := range []string{ID1, Letter} {
		template, err := Default(name)
		if err != nil {
			t.Fatal(err)
		}
		for key, label := range template.Labels {
			for _, language := range []string{"eng", "fra", "ara", "spa", "hin"} {
				if label[language] == "" {
					t.Errorf("%s: the label %s is missing in %s", name, key, language)
				}
			}
		}
		for _, page := range template.Pages {
			for _, item := range page.Items {
				if (item.Kind == Portrait || item.Kind == Code) && item.Label == "" {
					t.Errorf("%s: %s has no words for those who cannot see it", name, item.Kind)
				}
			}
		}
	}
	if _, err := Default("../card"); !errors.Is(err, ErrTemplate) {
		t.Errorf("another name: got %v, want %v", err, ErrTemplate)
	}
}

func TestWhatIsNoTemplateIsRefused(t *testing.T) {
	const fine = `{"name":"x","width":80,"height":50,"pages":[{"items":[{"kind":"text","x":1,"y":1,"width":20,"height":5,"size":8,"path":"fullName"}]}],"labels":{"a":{"eng":"A"}}}`
	if _, err := ParseTemplate([]byte(fine)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"not JSON":             {"{", ""},
		"an unknown word":      {`"name"`, `"script"`},
		"two documents":        {`"A"}}}`, `"A"}}}{}`},
		"no size":              {`"size":8,`, ""},
		"a huge size":          {`"size":8`, `"size":800`},
		"over the edge":        {`"x":1`, `"x":70`},
		"left of the edge":     {`"x":1`, `"x":-1`},
		"no width":             {`"width":20`, `"width":0`},
		"a large page":         {`"width":80`, `"width":8000`},
		"no pages":             {`[{"items"`, `[],"labels":{},"pages":[],"labels":[{"items"`},
		"another kind":         {`"text"`, `"script"`},
		"a field, no path":     {`"path":"fullName"`, `"label":"a","kind":"field"`},
		"an unknown label":     {`"path":"fullName"`, `"label":"b"`},
		"a colour in words":    {`"size":8`, `"size":8,"colour":"red"`},
		"a colour with quotes": {`"size":8`, `"size":8,"colour":"#00000\""`},
		"a wrong side":         {`"size":8`, `"size":8,"align":"left"`},
		"a wrong ground":       {`{"items"`, `{"colour":"url(x)","items"`},
		"which of many":        {`"size":8`, `"size":8,"nth":99`},
		"an empty picture":     {`"kind":"text"`, `"kind":"picture"`},
		"a long label":         {`"A"`, `"` + strings.Repeat("A", 3000) + `"`},
	} {
		if _, err := ParseTemplate([]byte(strings.Replace(fine, change[0], change[1], 1))); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: got %v, want %v", name, err, ErrTemplate)
		}
	}
	if _, err := ParseTemplate(make([]byte, maxTemplate+1)); !errors.Is(err, ErrTemplate) {
		t.Errorf("a large one: got %v, want %v", err, ErrTemplate)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, name := range []string{ID1, Letter} {
		raw, err := templates.ReadFile("templates/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		template, err := ParseTemplate(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseTemplate(again); err != nil {
			t.Errorf("written again it is refused: %v", err)
		}
	})
}
