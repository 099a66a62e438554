// Command noom-token makes keys, and the signed tokens by which a hub with
// noom/signal/hub/token lets members in.
//
//	noom-token key -out hub.pem
//	noom-token sign -key hub.pem -room lobby -subject gopher -expires 1h
//	noom-token check -key hub.pub.pem < token
//
// A key is read from a file or an environment variable, a token from the
// standard input: never from the command line, which other users can read.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"noom/signal"
	"noom/signal/hub/token"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

const usage = `noom-token makes keys and tokens for noom's hub.

  noom-token key -out FILE [-secret]    makes an Ed25519 key in FILE, and its public half, which a hub
                                        needs, in FILE with .pub.pem at its end; or a secret for HS256
  noom-token sign KEY [flags]           writes a token to the standard output
    -room NAME       the room it is for; required unless -rights is list
    -subject WHO     whose token it is, as the hub's log will name them
    -name NAME       the nickname they must keep (default: they choose)
    -rights LIST     of publish, chat, kick, lock, mute, close, list; none for watching
                     (default publish,chat)
    -expires TIME    how long it is valid, such as 90m or 720h (default 1h)
    -starts TIME     after how long it becomes valid (default at once)
    -reusable        several members may use it; a program that restarts is another
                     one (default: only the first member)
  noom-token check KEY                  reads a token and says what is in it

KEY is -key FILE or -key-env VARIABLE.
`

// errUsage marks errors about the arguments: exit code 2.
var errUsage = errors.New("noom-token -help lists the flags")

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "key":
		err = makeKey(args, stdout)
	case "sign":
		err = sign(args, stdout, stderr)
	case "check":
		err = check(args, stdin, stdout, stderr)
	case "help", "-h", "-help", "--help":
		err = flag.ErrHelp
	case "":
		err = fmt.Errorf("want key, sign or check; %w", errUsage)
	default:
		err = fmt.Errorf("no such command %q, want key, sign or check; %w", command, errUsage)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(stdout, usage)
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "noom-token: %s\n", strings.TrimPrefix(err.Error(), "token: "))
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// parse reads flags and refuses what is left over.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w; %w", err, errUsage)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	}
	return nil
}

func makeKey(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("key", flag.ContinueOnError)
	out := flags.String("out", "", "")
	secret := flags.Bool("secret", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *out == "" {
		return fmt.Errorf("-out says where the key goes; %w", errUsage)
	}
	if *secret {
		return write(*out, []byte(token.NewSecret()+"\n"), 0o600, "the secret, for issuer and hub", stdout)
	}
	private, public := token.NewKey()
	if err := write(*out, private, 0o600, "the private key, for the issuer", stdout); err != nil {
		return err
	}
	return write(strings.TrimSuffix(*out, ".pem")+".pub.pem", public, 0o644, "the public key, for the hub", stdout)
}

// write makes a file that was not there before: a key that is written over is
// lost with every token it has signed.
func write(name string, content []byte, mode os.FileMode, what string, stdout io.Writer) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already; choose another name or remove it", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		_, _ = fmt.Fprintf(stdout, "%s: %s\n", name, what)
	}
	return err
}

// A keyFlag says where a key is.
type keyFlag struct{ file, env *string }

func addKey(flags *flag.FlagSet) keyFlag {
	return keyFlag{flags.String("key", "", ""), flags.String("key-env", "", "")}
}

func (k keyFlag) read(stderr io.Writer) (token.Key, error) {
	switch {
	case (*k.file == "") == (*k.env == ""):
		return token.Key{}, fmt.Errorf("-key FILE or -key-env VARIABLE says where the key is; %w", errUsage)
	case *k.env != "":
		text, ok := os.LookupEnv(*k.env)
		if !ok {
			return token.Key{}, fmt.Errorf("the environment has no %s", *k.env)
		}
		key, err := token.ParseKey([]byte(text))
		return key, wrap(*k.env, err)
	}
	text, err := os.ReadFile(*k.file)
	if err != nil {
		return token.Key{}, err
	}
	key, err := token.ParseKey(text)
	if info, statErr := os.Stat(*k.file); err == nil && statErr == nil && key.CanSign() && info.Mode().Perm()&0o077 != 0 {
		_, _ = fmt.Fprintf(stderr, "noom-token: warning: others can read the key in %s; chmod 600 helps\n", *k.file)
	}
	return key, wrap(*k.file, err)
}

func wrap(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

func sign(args []string, stdout, stderr io.Writer) error {
	var c token.Claims
	flags := flag.NewFlagSet("sign", flag.ContinueOnError)
	from := addKey(flags)
	flags.StringVar(&c.Room, "room", "", "")
	flags.StringVar(&c.Subject, "subject", "", "")
	flags.StringVar(&c.Name, "name", "", "")
	rights := flags.String("rights", "", "")
	expires := flags.Duration("expires", time.Hour, "")
	starts := flags.Duration("starts", 0, "")
	reusable := flags.Bool("reusable", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	var err error
	if c.Rights, err = parseRights(*rights); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case *expires <= 0 || *starts < 0:
		return fmt.Errorf("-expires must be above 0 and -starts not below; %w", errUsage)
	case c.Room == "" && (len(c.Rights) != 1 || c.Rights[0] != signal.RightList):
		return fmt.Errorf("-room says which room the token is for; %w", errUsage)
	}
	c.Expires = now.Add(*starts + *expires)
	if *starts > 0 {
		c.NotBefore = now.Add(*starts)
	}
	if !*reusable {
		c.ID = token.NewID()
	}
	key, err := from.read(stderr)
	if err != nil {
		return err
	}
	text, err := token.Sign(key, c)
	if err == nil {
		_, err = fmt.Fprintln(stdout, text)
	}
	return err
}

func parseRights(list string) (signal.Rights, error) {
	switch list {
	case "":
		return nil, nil
	case "none":
		return signal.Rights{}, nil
	}
	known := append(signal.AllRights(), signal.RightList)
	var rights signal.Rights
	for name := range strings.SplitSeq(list, ",") {
		r := signal.Right(strings.TrimSpace(name))
		if !known.Has(r) {
			return nil, fmt.Errorf("-rights: there is no %q, only %v; %w", r, known, errUsage)
		}
		rights = append(rights, r)
	}
	return rights, nil
}

func check(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	from := addKey(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	key, err := from.read(stderr)
	if err != nil {
		return err
	}
	verifier, err := token.NewVerifier(key)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(stdin, 2*signal.MaxToken))
	if err != nil {
		return err
	}
	c, err := verifier.Verify(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	rights := "publish, chat"
	if c.Rights != nil {
		rights = cmp.Or(strings.Trim(fmt.Sprint(c.Rights), "[]"), "none")
	}
	_, err = fmt.Fprintf(stdout, "room %q\nsubject %q\nname %q\nrights %s\nid %q\nexpires %s\n",
		c.Room, c.Subject, c.Name, rights, c.ID, c.Expires.Format(time.RFC3339))
	return err
}
