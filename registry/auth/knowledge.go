package auth

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry"
)

const (
	longestAnswer = 512 // bytes; what is longer fits nobody
	mostFields    = 8
)

// KnowledgeFields are the fields of the identity that a person must know together.
func (d *Desk) KnowledgeFields() []string { return slices.Clone(d.Knowledge) }

// knowledgeFits compares every field that is asked with the identity: each must fit,
// in any language that it has.
func (d *Desk) knowledgeFits(a Attempt) (factor, error) {
	missing := fault.New(fault.Invalid, "Fill in everything that is asked.").Named("knowledge-incomplete")
	for _, name := range d.Knowledge {
		if strings.TrimSpace(a.Knowledge[name]) == "" {
			missing = missing.At(name, "is missing")
		}
	}
	if len(missing.Fields) > 0 {
		return factor{}, missing
	}
	return factor{unfit: func(ctx context.Context, tx pgx.Tx, who claimed) (string, error) {
		i, err := d.Registry.Read(ctx, tx, who.person)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return "", err
		}
		unfit := ""
		for _, name := range d.Knowledge {
			if !fieldFits(a.Knowledge[name], name, i) {
				unfit = string(ByKnowledge)
			}
		}
		return unfit, nil
	}}, nil
}

// fieldFits compares what somebody says of a field. A name fits in any order of its
// words, a date in any of the usual forms, a number however it is grouped.
func fieldFits(said, name string, i registry.Identity) bool {
	if len(said) > longestAnswer {
		return false
	}
	fits := false
	for _, written := range values(i, name) {
		switch {
		case written == "":
		case isDate.MatchString(written):
			fits = slices.Contains(dates(said), onlyDigits(written)) || fits
		case isNumber.MatchString(written):
			fits = isNumber.MatchString(digits(said)) && onlyDigits(said) == onlyDigits(written) || fits
		default:
			own := words(written)
			fits = len(own) > 0 && slices.Equal(words(said), own) || fits
		}
	}
	return fits
}

var (
	isDate   = regexp.MustCompile(`^\d{4}[/-]\d{2}[/-]\d{2}$`)
	isNumber = regexp.MustCompile(`^\+?[\d\s()./-]*\d[\d\s()./-]*$`)
)

// values are what stands in a field, in every language.
func values(i registry.Identity, name string) []string {
	all := []string{i.Text(name, "")}
	if n, ok := i.Fields[name].(float64); ok {
		all = append(all, fmt.Sprint(n))
	}
	for _, language := range i.Languages(name) {
		all = append(all, i.Text(name, language))
	}
	return all
}

// words are the words of a text, sorted: without case (Unicode's folding) and width,
// hyphens between words or none, apostrophes or none.
func words(text string) []string {
	text = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
	text = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("'’‘ʼ`´", r):
			return -1
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r):
			return r
		case unicode.Is(unicode.Cf, r): // joiners, marks of direction
			return -1
		}
		return ' '
	}, text)
	all := strings.Fields(text)
	slices.Sort(all)
	return all
}

// dates are the dates that a text may mean, as YYYYMMDD: the year first or last, and
// then day and month in either order, since countries differ.
func dates(text string) []string {
	parts := strings.FieldsFunc(norm.NFKC.String(text), func(r rune) bool { return !unicode.IsDigit(r) })
	if len(parts) == 1 {
		d := onlyDigits(parts[0])
		if len(d) != 8 {
			return nil
		}
		return []string{d, d[4:] + d[2:4] + d[:2], d[4:] + d[:4]}
	}
	if len(parts) != 3 {
		return nil
	}
	for n, part := range parts {
		parts[n] = onlyDigits(part)
		if len(parts[n]) == 1 {
			parts[n] = "0" + parts[n]
		}
	}
	a, b, c := parts[0], parts[1], parts[2]
	switch {
	case len(a) == 4 && len(b) == 2 && len(c) == 2:
		return []string{a + b + c}
	case len(a) == 2 && len(b) == 2 && len(c) == 4:
		return []string{c + b + a, c + a + b}
	}
	return nil
}
