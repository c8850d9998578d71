package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/rootcheck-bot/rootcheck/app"
)

// process is what a process has: where it writes, its environment, its clock. A test brings its own.
type process struct {
	Out, Err io.Writer
	Env      func(string) string
	Now      func() time.Time
	Version  string
}

// The exit statuses. What a command found is its own to say; these are for all of them.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

// exit is a command's end with a status and nothing more to say.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// failure is an error that ends with another status than 1.
type failure struct {
	status int
	err    error
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// grammar is everything that can be typed.
type grammar struct {
	Config    string `help:"The settings file (rootcheck.yaml, where there is one)." env:"ROOTCHECK_CONFIG" placeholder:"FILE" type:"path"`
	LogLevel  string `help:"The least level that is logged: ${enum}." enum:"debug,info,warn,error" default:"info" env:"ROOTCHECK_LOG_LEVEL"`
	LogFormat string `help:"The form of log lines on standard error: ${enum}." enum:"text,json" default:"text" env:"ROOTCHECK_LOG_FORMAT"`

	Run     runCommand     `cmd:"" default:"1" help:"Run the bot until it is told to end (what happens without a command)."`
	Check   checkCommand   `cmd:"" help:"Look at every account once and report here. Needs no Slack and no database."`
	Doctor  doctorCommand  `cmd:"" help:"Try each token, permission and setting, and say how to mend what is missing. Changes nothing."`
	Audit   auditCommand   `cmd:"" help:"Verify or export the audit log."`
	Backup  backupCommand  `cmd:"" help:"Copy the SQLite database to a file, also while the bot runs."`
	Health  healthCommand  `cmd:"" help:"Tell whether the running bot is well, by its heartbeat."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// surroundings are the settings that have no flag. Secrets are among them: a flag would show in the list of processes.
const surroundings = `
Environment:
  SLACK_BOT_TOKEN          The bot's token, xoxb-… (or SLACK_BOT_TOKEN_FILE, a file that holds it).
  SLACK_APP_TOKEN          The app-level token, xapp-… (or SLACK_APP_TOKEN_FILE).
  SLACK_API_URL            Another Slack API than Slack's, such as http://127.0.0.1:8484/slack/api/.
  ROOTCHECK_CONFIG         The settings file, as --config.
  ROOTCHECK_CHANNEL        The bot's channel, by its id.
  ROOTCHECK_DATABASE       A file, or postgres://… (or ROOTCHECK_DATABASE_FILE, a file that holds the address).
  ROOTCHECK_TIMEZONE       The time zone of the schedules.
  ROOTCHECK_LOCALE         The channel's language: en or ko.
  ROOTCHECK_HEALTH_FILE    Where the heartbeat is kept; beside the database otherwise.
  ROOTCHECK_LOG_LEVEL, ROOTCHECK_LOG_FORMAT
  AWS_…                    Everything that the AWS SDK reads: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and so on.
  NO_COLOR                 No colours in the terminal.

Exit status: 0 well; 1 something was found, failed or is not well; 2 something could not be done, or a setting is bad.
`

// run parses and does what was typed, and returns the exit status.
func run(ctx context.Context, args []string, p process) int {
	var g grammar
	helped := false
	parser, err := kong.New(&g,
		kong.Name("bot"), kong.Description("rootcheck keeps the AWS root user of every account safe, from Slack."),
		kong.Writers(p.Out, p.Err), kong.Exit(func(int) { helped = true }),
		kong.Help(help), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p), kong.Bind(&g),
	)
	if err != nil {
		return complain(p, failure{statusUsage, err})
	}
	typed, err := parser.Parse(args)
	switch {
	case helped:
		return statusOK
	case err != nil:
		return complain(p, failure{statusUsage, fmt.Errorf("%w; `bot --help` shows what there is", err)})
	default:
		return complain(p, typed.Run())
	}
}

// help adds the environment to what kong knows, so that one screen shows every setting.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	_, err := io.WriteString(ctx.Stdout, surroundings)
	return err
}

// complain says an error in one sentence and returns its status.
func complain(p process, err error) int {
	var quiet exit
	var status failure
	var setting *app.SettingError
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &quiet):
		return int(quiet)
	case errors.As(err, &status):
		say(p.Err, err)
		return status.status
	case errors.As(err, &setting):
		say(p.Err, err)
		return statusUsage
	default:
		say(p.Err, err)
		return statusFailed
	}
}

// say writes an error on one line: what broke into several was never meant for a terminal.
func say(w io.Writer, err error) {
	line := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if !strings.HasSuffix(line, ".") && !strings.HasSuffix(line, "?") {
		line += "."
	}
	_, _ = fmt.Fprintln(w, "bot: "+line) // Nobody is left to tell.
}

// settings reads the settings and checks them.
func (g *grammar) settings(p process, slack bool) (app.Config, error) {
	c, err := app.Load(g.Config, p.Env)
	if err != nil {
		return c, err
	}
	return c, c.Validate(slack)
}

// logger writes to standard error, so that standard output stays the command's.
func (g *grammar) logger(p process) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if g.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.Err, o))
	}
	return slog.New(slog.NewTextHandler(p.Err, o))
}

// terminal reports whether a stream is a terminal that may show colours and be redrawn.
func (p process) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f) && p.Env("NO_COLOR") == "" && p.Env("TERM") != "dumb"
}
