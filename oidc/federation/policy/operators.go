package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rule is the policy of one metadata parameter: operator → operand. A set is a
// []any, essential a bool, and a value that is nil removes the parameter.
type rule map[string]any

// The operators of OpenID Federation 1.0, 6.1.3.1, in the order of their application.
const (
	opValue      = "value"
	opAdd        = "add"
	opDefault    = "default"
	opOneOf      = "one_of"
	opSubsetOf   = "subset_of"
	opSupersetOf = "superset_of"
	opEssential  = "essential"
)

// wide shows scope, which is written as words in one string, as the set that it is;
// narrow writes it again.
func wide(name string, value any) any {
	text, ok := value.(string)
	if name != "scope" || !ok {
		return value
	}
	words := []any{}
	for _, word := range strings.Fields(text) {
		words = append(words, word)
	}
	return words
}

func narrow(name string, value any) any {
	set, ok := value.([]any)
	if name != "scope" || !ok {
		return value
	}
	words := make([]string, 0, len(set))
	for _, word := range set {
		if text, ok := word.(string); ok {
			words = append(words, text)
		}
	}
	return strings.Join(words, " ")
}

// readRule checks the operands. Operators that are unknown are left out: those
// that are critical have ended the statement before.
func readRule(name string, operators map[string]any) (rule, error) {
	if operators == nil {
		return nil, errors.New("it must be an object")
	}
	r := rule{}
	for operator, operand := range operators {
		operand = wide(name, operand)
		var ok bool
		switch operator {
		case opValue:
			ok = true
		case opDefault:
			ok = operand != nil
		case opAdd, opOneOf, opSubsetOf, opSupersetOf:
			var set []any
			set, ok = operand.([]any)
			ok = ok && !slices.Contains(kindsOf(set), "")
		case opEssential:
			_, ok = operand.(bool)
		default:
			continue
		}
		if !ok {
			return nil, fmt.Errorf("%s has an operand of the wrong kind", operator)
		}
		r[operator] = operand
	}
	return r, r.check()
}

// kindsOf names the kinds of what is in a set; "" is what can stand in none.
func kindsOf(set []any) []string {
	kinds := make([]string, len(set))
	for i, element := range set {
		switch element.(type) {
		case string:
			kinds[i] = "string"
		case float64:
			kinds[i] = "number"
		case map[string]any:
			kinds[i] = "object"
		}
	}
	return kinds
}

// may lists the pairs of operators that may stand together, each with what must
// hold then; nil means nothing. A pair that is not here is a conflict.
var may = []struct {
	one, other string
	when       func(one, other any) bool
}{
	{opValue, opAdd, func(value, add any) bool { return within(add, value) }},
	{opValue, opDefault, func(value, _ any) bool { return value != nil }},
	{opValue, opOneOf, func(value, options any) bool { return value != nil && within([]any{value}, options) }},
	{opValue, opSubsetOf, func(value, most any) bool { return within(value, most) }},
	{opValue, opSupersetOf, func(value, least any) bool { return within(least, value) }},
	{opValue, opEssential, func(value, essential any) bool { return value != nil || essential == false }},
	{opAdd, opDefault, nil},
	{opAdd, opSubsetOf, func(add, most any) bool { return within(add, most) }},
	{opAdd, opSupersetOf, nil},
	{opAdd, opEssential, nil},
	{opDefault, opOneOf, nil},
	{opDefault, opSubsetOf, nil},
	{opDefault, opSupersetOf, nil},
	{opDefault, opEssential, nil},
	{opOneOf, opEssential, nil},
	{opSubsetOf, opSupersetOf, func(most, least any) bool { return within(least, most) }},
	{opSubsetOf, opEssential, nil},
	{opSupersetOf, opEssential, nil},
}

// check finds operators that may not stand together.
func (r rule) check() error {
	allowed := 0
	for _, pair := range may {
		one, a := r[pair.one]
		other, b := r[pair.other]
		if !a || !b {
			continue
		}
		if pair.when != nil && !pair.when(one, other) {
			return fmt.Errorf("%s and %s contradict each other", pair.one, pair.other)
		}
		allowed++
	}
	if allowed != len(r)*(len(r)-1)/2 {
		return fmt.Errorf("%s may not all stand together", strings.Join(slices.Sorted(maps.Keys(r)), ", "))
	}
	return nil
}

// merge makes one rule of that of a superior and that of the next below.
func (r rule) merge(below rule) (rule, error) {
	result := maps.Clone(r)
	for operator, lower := range below {
		upper, both := r[operator]
		if !both {
			result[operator] = lower
			continue
		}
		switch operator {
		case opValue, opDefault:
			if mark(upper) != mark(lower) {
				return nil, fmt.Errorf("%s is demanded to be two things", operator)
			}
		case opAdd, opSupersetOf:
			result[operator] = union(upper.([]any), lower.([]any))
		case opOneOf, opSubsetOf:
			both := intersection(upper.([]any), lower.([]any))
			if operator == opOneOf && len(both) == 0 {
				return nil, errors.New("one_of leaves nothing to choose from")
			}
			result[operator] = both
		case opEssential:
			result[operator] = upper.(bool) || lower.(bool)
		}
	}
	return result, result.check()
}

// apply does what the rule says to a parameter, in the order that is prescribed.
func (r rule) apply(value any, present bool) (any, bool, error) {
	if operand, ok := r[opValue]; ok {
		value, present = operand, operand != nil
	}
	if operand, ok := r[opAdd]; ok {
		set, isSet := value.([]any)
		if present && !isSet {
			return nil, false, errors.New("add needs an array")
		}
		value, present = union(set, operand.([]any)), true
	}
	if operand, ok := r[opDefault]; ok && !present {
		value, present = operand, true
	}
	if present {
		var err error
		if value, err = r.restrict(value); err != nil {
			return nil, false, err
		}
	}
	if r[opEssential] == true && !present {
		return nil, false, errors.New("it is essential and missing")
	}
	return value, present, nil
}

// restrict checks a value that is there, and cuts from it what is not allowed.
func (r rule) restrict(value any) (any, error) {
	if operand, ok := r[opOneOf]; ok && !within([]any{value}, operand) {
		return nil, errors.New("it is none of the values allowed")
	}
	set, isSet := value.([]any)
	if operand, ok := r[opSubsetOf]; ok {
		if !isSet {
			return nil, errors.New("subset_of needs an array")
		}
		set = intersection(set, operand.([]any))
		value = set
	}
	if operand, ok := r[opSupersetOf]; ok && (!isSet || !within(operand, set)) {
		return nil, errors.New("it lacks values that are demanded")
	}
	return value, nil
}

// mark is a text that two values have in common only when they are equal.
func mark(value any) string {
	raw, err := json.Marshal(value) // sorts the names of members
	if err != nil {
		return fmt.Sprintf("%p", &value) // equal to nothing; what came from JSON always marshals
	}
	return string(raw)
}

func marks(set []any) map[string]bool {
	found := make(map[string]bool, len(set))
	for _, element := range set {
		found[mark(element)] = true
	}
	return found
}

// within tells whether both are sets and the one is part of the other.
func within(part, whole any) bool {
	a, isSet := part.([]any)
	b, too := whole.([]any)
	if !isSet || !too {
		return false
	}
	all := marks(b)
	return !slices.ContainsFunc(a, func(element any) bool { return !all[mark(element)] })
}

func union(a, b []any) []any {
	seen := marks(a)
	result := append([]any{}, a...)
	for _, element := range b {
		if m := mark(element); !seen[m] {
			seen[m] = true
			result = append(result, element)
		}
	}
	return result
}

func intersection(a, b []any) []any {
	other, result := marks(b), []any{}
	for _, element := range a {
		if other[mark(element)] {
			result = append(result, element)
		}
	}
	return result
}
