package awssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// document is a policy, read once and evaluated often. Of the policy language it knows what policies about root users
// use: Action and NotAction, Resource and NotResource, and conditions on the caller. A condition with an operator or a
// key that it does not know does not match, so that such a statement neither allows nor denies.
type document struct{ statements []statement }

type statement struct {
	allow        bool
	actions      []string
	notActions   bool
	resources    []string
	notResources bool
	conditions   []condition
}

type condition struct {
	operator, key string
	values        []string
}

// question is what a policy is asked.
type question struct {
	action   string // iam:ListAccessKeys
	resource string
	keys     map[string]string // condition keys that are present, lower case
}

// oneOrMany reads the JSON of a policy, where a list of one may be written without its brackets.
type oneOrMany []string

func (m *oneOrMany) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*m = oneOrMany{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("read a string or a list of strings: %w", err)
	}
	*m = many
	return nil
}

type rawStatement struct {
	Effect                                   string
	Action, NotAction, Resource, NotResource oneOrMany
	Condition                                map[string]map[string]oneOrMany
}

func parseDocument(text string) (document, error) {
	var raw struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return document{}, fmt.Errorf("read policy: %w", err)
	}
	var list []rawStatement
	if err := json.Unmarshal(raw.Statement, &list); err != nil {
		var one rawStatement
		if err := json.Unmarshal(raw.Statement, &one); err != nil {
			return document{}, fmt.Errorf("read the policy's statements: %w", err)
		}
		list = []rawStatement{one}
	}
	var d document
	for _, r := range list {
		if r.Effect != "Allow" && r.Effect != "Deny" {
			return document{}, fmt.Errorf("read policy: no effect %q", r.Effect)
		}
		s := statement{allow: r.Effect == "Allow", actions: r.Action, resources: r.Resource}
		if len(r.NotAction) > 0 {
			s.actions, s.notActions = r.NotAction, true
		}
		if len(r.NotResource) > 0 {
			s.resources, s.notResources = r.NotResource, true
		}
		if len(s.actions) == 0 {
			return document{}, errors.New("read policy: a statement has no action")
		}
		for operator, keys := range r.Condition {
			for key, values := range keys {
				s.conditions = append(s.conditions, condition{operator, strings.ToLower(key), values})
			}
		}
		d.statements = append(d.statements, s)
	}
	return d, nil
}

// denies reports whether a statement denies what is asked; allows, whether one allows it.
func (d document) denies(q question) bool { return d.any(false, q) }
func (d document) allows(q question) bool { return d.any(true, q) }

func (d document) any(allow bool, q question) bool {
	return slices.ContainsFunc(d.statements, func(s statement) bool { return s.allow == allow && s.matches(q) })
}

func (s statement) matches(q question) bool {
	if matchesAny(s.actions, strings.ToLower(q.action), strings.ToLower) == s.notActions {
		return false
	}
	if len(s.resources) > 0 && matchesAny(s.resources, q.resource, nil) == s.notResources {
		return false
	}
	return !slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(q.keys) })
}

func (c condition) holds(keys map[string]string) bool {
	value, present := keys[c.key]
	operator, optional := strings.CutSuffix(c.operator, "IfExists")
	if operator == "Null" {
		return len(c.values) == 1 && (c.values[0] == "true") != present
	}
	negative := strings.Contains(operator, "Not")
	if !present {
		return negative || optional
	}
	switch operator {
	case "StringEquals", "StringNotEquals", "Bool":
		return slices.Contains(c.values, value) != negative
	case "StringLike", "StringNotLike", "ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals":
		return matchesAny(c.values, value, nil) != negative
	default:
		return false
	}
}

func matchesAny(patterns []string, s string, fold func(string) string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if fold != nil {
			p = fold(p)
		}
		return matches(p, s)
	})
}

// matches reports whether s matches a pattern of characters, "?" for any one and "*" for any number.
func matches(pattern, s string) bool {
	if pattern == "*" {
		return true
	}
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p, i = p+1, i+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
