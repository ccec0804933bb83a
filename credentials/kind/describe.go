package kind

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// ContextPath is where the terms of a kind are served; empty: it has none of its own.
// The path holds their hash: what an address says never changes.
func (k *Definition) ContextPath() string {
	if k.Formats.LDP == nil || len(k.Formats.LDP.Terms) == 0 {
		return ""
	}
	sum := sha256.Sum256(k.Context())
	return "/contexts/kinds/" + k.Name + "/" + hex.EncodeToString(sum[:8])
}

// Context is the JSON-LD context of the terms of a kind.
func (k *Definition) Context() []byte {
	terms := map[string]any{"@version": 1.1, "@protected": true}
	for term, means := range k.Formats.LDP.Terms {
		terms[term] = means
	}
	raw, err := json.MarshalIndent(map[string]any{"@context": terms}, "", " ")
	if err != nil {
		panic(err) // Parse has read them as JSON
	}
	return raw
}

// TypeMetadata is what SD-JWT VC calls the metadata of a type, but for its name.
func (k *Definition) TypeMetadata() map[string]any {
	var display []map[string]any
	for _, d := range k.Display {
		simple := map[string]any{}
		if d.Background != "" {
			simple["background_color"] = d.Background
		}
		if d.Text != "" {
			simple["text_color"] = d.Text
		}
		if d.Logo != nil {
			simple["logo"] = d.Logo
		}
		one := map[string]any{"locale": d.Locale, "name": d.Name, "rendering": map[string]any{"simple": simple}}
		if d.Description != "" {
			one["description"] = d.Description
		}
		display = append(display, one)
	}
	var claims []map[string]any
	for _, c := range k.Claims {
		if c.SDJWT == nil {
			continue
		}
		sd := "always"
		if c.Whole {
			sd = "never"
		}
		one := map[string]any{"path": c.SDJWT, "sd": sd}
		if c.Mandatory {
			one["mandatory"] = true
		}
		var labels []map[string]string
		for _, l := range c.Display {
			labels = append(labels, map[string]string{"locale": l.Locale, "label": l.Name})
		}
		if labels != nil {
			one["display"] = labels
		}
		claims = append(claims, one)
	}
	return map[string]any{"name": k.Name, "display": display, "claims": claims}
}
