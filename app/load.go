package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Span is a length of time as people write it: 168h, 30m, or 7d.
type Span time.Duration

// UnmarshalYAML reads a span. Days are 24 hours.
func (s *Span) UnmarshalYAML(node ast.Node) error {
	text := node.GetToken().Value
	days, long := strings.CutSuffix(text, "d")
	if long {
		text = days + "h"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return &spanError{line: node.GetToken().Position.Line}
	}
	if *s = Span(d); long {
		*s = Span(24 * d)
	}
	return nil
}

// spanError is a length of time that cannot be read.
type spanError struct{ line int }

func (*spanError) Error() string { return "write a time such as 168h, 30m or 7d" }

// MarshalText writes a span as it is read.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// Load reads the settings: the defaults, then the file, then the environment. A file that is not there is an error only
// when it was asked for by name; an empty name stands for rootcheck.yaml where there is one.
func Load(file string, env func(string) string) (Config, error) {
	c := DefaultConfig()
	named := file != ""
	if !named {
		file = "rootcheck.yaml"
	}
	b, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		return c, &SettingError{Setting: "--config", Fix: readable(file, err), Err: err}
	default:
		if err := decode(b, &c); err != nil {
			return c, err
		}
	}
	if err := environment(&c, env); err != nil {
		return c, err
	}
	if len(c.AWS) == 0 {
		c.AWS = []Source{{Name: "aws", Account: &Account{}}}
	}
	return c, nil
}

// environment reads what is set by the environment.
func environment(c *Config, env func(string) string) (err error) {
	if c.BotToken, err = secret(env, "SLACK_BOT_TOKEN"); err != nil {
		return err
	}
	if c.AppToken, err = secret(env, "SLACK_APP_TOKEN"); err != nil {
		return err
	}
	c.SlackAPI = env("SLACK_API_URL")
	if c.SlackAPI != "" && !strings.HasSuffix(c.SlackAPI, "/") {
		c.SlackAPI += "/"
	}
	for name, setting := range map[string]*string{
		"ROOTCHECK_CHANNEL": &c.Channel, "ROOTCHECK_LOCALE": &c.Locale, "ROOTCHECK_TIMEZONE": &c.Schedules.Timezone,
	} {
		if v := env(name); v != "" {
			*setting = v
		}
	}
	database, err := secret(env, "ROOTCHECK_DATABASE")
	if database.Set() {
		c.Database = database.Reveal()
	}
	return err
}

// decode reads the file strictly: what is not a setting is an error that names the nearest one.
func decode(b []byte, c *Config) error {
	read := *c
	err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&read)
	switch {
	case errors.Is(err, io.EOF) || reflect.ValueOf(read).IsZero():
		return nil // nothing but comments: the parser calls that null
	case err == nil:
		*c = read
		return nil
	}
	if unknown, ok := errors.AsType[*yaml.UnknownFieldError](err); ok {
		key, at := unknown.Token.Value, unknown.Token.Position
		return &SettingError{Setting: fmt.Sprintf("%s (line %d)", key, at.Line), Fix: unknownKey(key, blockAt(b, at.Line, at.Column))}
	}
	if span, ok := errors.AsType[*spanError](err); ok {
		return &SettingError{Setting: fmt.Sprintf("%s (line %d)", settingAt(b, span.line), span.line), Fix: span.Error()}
	}
	if node, ok := errors.AsType[*yaml.UnexpectedNodeTypeError](err); ok && node.Token != nil {
		kinds := map[ast.NodeType]reflect.Kind{ast.MappingType: reflect.Struct, ast.SequenceType: reflect.Slice}
		line := node.Token.Position.Line
		return &SettingError{Setting: fmt.Sprintf("%s (line %d)", settingAt(b, line), line), Fix: "write " + kindWord(kinds[node.Expected])}
	}
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok {
		line := 0
		if wrong.Token != nil {
			line = wrong.Token.Position.Line
		}
		return &SettingError{Setting: fmt.Sprintf("%s (line %d)", settingAt(b, line), line), Fix: "write " + kindOf(wrong.DstType)}
	}
	if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok && syntax.Token != nil {
		line := syntax.Token.Position.Line
		return &SettingError{Setting: fmt.Sprintf("the settings file (line %d)", line), Fix: "mend its YAML: " + firstLine(syntax.Message)}
	}
	line := lineIn(err.Error())
	return &SettingError{Setting: fmt.Sprintf("%s (line %d)", settingAt(b, line), line), Fix: firstLine(err.Error())}
}

// unknownKey says what to do about a key that is no setting in the block where it stands, such as aws[].organization. What
// is near among that block's own settings is meant sooner than the same word elsewhere.
func unknownKey(key, block string) string {
	at := map[string]string{} // where a name stands, first
	var names, siblings []string
	for _, path := range pathsOf(reflect.TypeFor[Config](), "") {
		name := path[strings.LastIndex(path, ".")+1:]
		if strings.TrimSuffix(path, name) == block {
			siblings = append(siblings, name)
		}
		if _, known := at[name]; !known {
			at[name] = path
			names = append(names, name)
		}
	}
	meant := func(path string) string { return fmt.Sprintf("there is no such setting: did you mean %s?", path) }
	if near, ok := nearest(key, siblings); ok {
		return meant(block + near)
	}
	if path, ok := at[key]; ok {
		return "it stands in the wrong place: write it as " + path
	}
	if near, ok := posture.Suggest(key, names); ok {
		return meant(at[near])
	}
	if strings.Contains(strings.ToLower(key), "token") {
		return "remove it: tokens come by SLACK_BOT_TOKEN and SLACK_APP_TOKEN in the environment, and the file needs no secret"
	}
	return "remove it, there is no such setting"
}

// nearest is the misspelled name, or else the only one that begins with what was written, such as policy_id with policy.
func nearest(key string, names []string) (string, bool) {
	if near, ok := posture.Suggest(key, names); ok {
		return near, true
	}
	longer := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, key+"_") })
	if len(longer) != 1 {
		return "", false
	}
	return longer[0], true
}

// blockAt is the block around the key at a place of the file, as [pathsOf] writes it and with what joins it to a name in it;
// empty at the top, and where the place holds no key.
func blockAt(b []byte, line, column int) string {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return ""
	}
	found := keyAt{line: line, column: column}
	for _, doc := range file.Docs {
		ast.Walk(&found, doc)
	}
	path := regexp.MustCompile(`\[\d+\]`).ReplaceAllString(strings.TrimPrefix(found.path, "$."), "[]")
	return path[:strings.LastIndex(path, ".")+1]
}

// keyAt looks for the key at a place of the file.
type keyAt struct {
	line, column int
	path         string // such as $.aws[0].name
}

// Visit looks at a node and those below it.
func (k *keyAt) Visit(n ast.Node) ast.Visitor {
	if pair, ok := n.(*ast.MappingValueNode); ok {
		if at := pair.Key.GetToken().Position; at.Line == k.line && at.Column == k.column {
			k.path = pair.Key.GetPath()
		}
	}
	return k
}

// readable says what to do about a file that could not be read.
func readable(file string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "name a file that is there, not " + file
	}
	return "make " + file + " a file that this user may read"
}

// settingAt is the key that stands on a line of the file.
func settingAt(b []byte, line int) string {
	lines := strings.Split(string(b), "\n")
	if line < 1 || line > len(lines) {
		return "the settings file"
	}
	key, _, ok := strings.Cut(strings.TrimLeft(lines[line-1], " -{"), ":")
	if !ok || key == "" {
		return "the settings file"
	}
	return strings.TrimSpace(key)
}

// firstLine drops the excerpt of the file that the parser adds: it could hold a secret that somebody wrote there.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return regexp.MustCompile(`^\[\d+:\d+\]\s*`).ReplaceAllString(s, "")
}

func lineIn(s string) int {
	var line, column int
	if _, err := fmt.Sscanf(s, "[%d:%d]", &line, &column); err != nil {
		return 0
	}
	return line
}

func kindOf(t reflect.Type) string {
	if t == nil {
		return "another kind of value"
	}
	return kindWord(t.Kind())
}

func kindWord(k reflect.Kind) string {
	words := map[reflect.Kind]string{
		reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Int64: "a whole number", reflect.Float64: "a number",
		reflect.String: "text (ids of digits want quotes)", reflect.Slice: "a list",
		reflect.Map: "settings of its own, indented below it", reflect.Struct: "settings of its own, indented below it",
		reflect.Pointer: "settings of its own, indented below it",
	}
	if w, ok := words[k]; ok {
		return w
	}
	return "another kind of value"
}

// pathsOf lists every setting from where it begins, such as aws[].organization.role_arn.
func pathsOf(t reflect.Type, at string) []string {
	if t.Kind() == reflect.Pointer {
		return pathsOf(t.Elem(), at)
	}
	if t.Kind() == reflect.Slice {
		return pathsOf(t.Elem(), at+"[]")
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var paths []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		paths = append(append(paths, path), pathsOf(f.Type, path)...)
	}
	return paths
}
