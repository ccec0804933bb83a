// Command plinth is a complete foundational identity system in one binary:
// registration, authentication, OpenID Connect, credentials and their checking.
//
// This package composes the parts, configures them and serves them. It is the
// only place that knows everything.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/plinth-id/plinth/internal/fault"
)

// Exit codes that scripts can rely on.
const (
	exitYes      = 0 // yes, or done
	exitNo       = 1 // a clear no: invalid credential, no match, refused
	exitWrongUse = 2 // wrong use, or input that cannot be read
	exitInternal = 3
)

// exit is an answer that has been given already, with its exit code.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// commands is every command with its flags: the help text is made of it.
type commands struct {
	Config string `help:"Settings file (YAML) with the same PLINTH_ keys as the environment." type:"existingfile"`

	Demo        demoCommand        `cmd:"" help:"Everything on one machine, seeded with people who do not exist."`
	Serve       serveCommand       `cmd:"" help:"Serve."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database up to date."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Doctor      doctorCommand      `cmd:"" help:"Check settings, database, keys, clock and disk."`
	Enrol       enrolCommand       `cmd:"" help:"Build and submit enrolment packets."`
	Application applicationCommand `cmd:"" help:"Show where an application stands."`
	Officer     officerCommand     `cmd:"" help:"Officers, enrolment stations and adjudication."`
	Client      clientCommand      `cmd:"" help:"Relying parties."`
	Federation  federationCommand  `cmd:"" help:"Entities below this provider in a federation (OpenID Federation)."`
	Credential  credentialCommand  `cmd:"" help:"Kinds of credentials, issuing by the list, the ledger."`
	Issue       issueCommand       `cmd:"" help:"Issue a credential to a file, for assisted issuance."`
	Offer       offerCommand       `cmd:"" help:"Offer a credential to somebody's wallet."`
	Verify      verifyCommand      `cmd:"" help:"Check a credential: a picture of a QR code, its text, or JSON."`
	Wallet      walletCommand      `cmd:"" help:"A wallet without a screen."`
	Audit       auditCommand       `cmd:"" help:"The audit log."`
	Keys        keysCommand        `cmd:"" help:"Keys: list and rotate; private keys are never printed."`
	Device      deviceCommand      `cmd:"" help:"Capture devices: simulate one, find and use them."`
	SDK         sdkCommand         `cmd:"" name:"sdk" help:"Be a Bio SDK service: quality, comparison and templates for a MOSIP."`
	ABIS        abisCommand        `cmd:"" name:"abis" help:"Be the ABIS of another enrolment system: insert, identify, delete."`
	Biometrics  biometricsCommand  `cmd:"" help:"The fingerprint engine on files."`
	Bench       benchCommand       `cmd:"" help:"Measure this machine."`
}

func main() {
	var c commands
	parser := kong.Must(&c, kong.Name("plinth"), kong.ShortUsageOnError(),
		kong.Description("A foundational identity system in one binary."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Exit(func(code int) {
			if code != 0 {
				code = exitWrongUse
			}
			os.Exit(code)
		}))
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	settings := func() (Settings, error) {
		s, err := readSettings(c.Config, os.Environ())
		if err != nil {
			return s, wrongUse{err}
		}
		return s, nil
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(lazySettings(settings), chosen(parsed.Selected().Name))
	err = parsed.Run()
	stop()
	os.Exit(answer(err))
}

// lazySettings reads the settings when a command wants them: a command that
// needs none works wherever it stands.
type lazySettings func() (Settings, error)

// chosen is the last word of the command, for commands that have several.
type chosen string

// wrongUse marks an error as the caller's: exit code 2.
type wrongUse struct{ error }

func (w wrongUse) Unwrap() error { return w.error }

// answer tells on stderr what went wrong, in one line, and gives the exit code.
func answer(err error) int {
	var given exit
	var wrong wrongUse
	switch {
	case err == nil:
		return exitYes
	case errors.As(err, &given):
		return int(given)
	case errors.As(err, &wrong):
		fmt.Fprintln(os.Stderr, "plinth:", wrong.Error())
		return exitWrongUse
	}
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		fmt.Fprintln(os.Stderr, "plinth:", err)
		return exitInternal
	}
	fmt.Fprintln(os.Stderr, "plinth:", f.Sentence)
	for _, field := range f.Fields {
		fmt.Fprintf(os.Stderr, "  %s: %s\n", field.Name, field.Rule)
	}
	if f.Kind == fault.Invalid {
		return exitWrongUse
	}
	return exitNo
}

// printJSON writes one line of JSON to stdout.
func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
