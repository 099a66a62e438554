// Package token is noom token, which makes keys, and the signed tokens by which a hub with
// noom/signal/hub/token lets members in.
//
//	noom token key -out hub.pem
//	noom token sign -key hub.pem -room lobby -subject gopher -expires 1h
//	noom token check -key hub.pub.pem < token
//
// A key is read from a file or an environment variable, a token from the
// standard input: never from the command line, which other users can read.
package token

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"noom/cmd/noom/command"
	"noom/signal"
	"noom/signal/hub/token"
)

const usage = `noom token makes keys and tokens for noom's hub.

  noom token key -out FILE [-secret]    makes an Ed25519 key in FILE, and its public half, which a hub
                                        needs, in FILE with .pub.pem at its end; or a secret for HS256
  noom token sign KEY [flags]           writes a token to the standard output
    -room NAME       the room it is for; required unless -rights is list
    -subject WHO     whose token it is, as the hub's log will name them
    -account WHO     whom the others in the room shall take them for
    -name NAME       the nickname they must keep (default: they choose)
    -rights LIST     of publish, chat, kick, lock, mute, close, list; none for watching
                     (default publish,chat)
    -expires TIME    how long it is valid, such as 90m or 720h (default 1h)
    -starts TIME     after how long it becomes valid (default at once)
    -reusable        several members may use it; a program that restarts is another
                     one (default: only the first member)
  noom token check KEY                  reads a token and says what is in it

KEY is -key FILE or -key-env VARIABLE.
`

// Command returns the command.
func Command() command.Command {
	return command.Command{Name: "noom token", Summary: "make keys, and the tokens that let members in", Usage: usage, Subs: []command.Command{
		sub("key", func() work { return new(keyWork) }),
		sub("sign", func() work { return new(signWork) }),
		sub("check", func() work { return new(checkWork) }),
	}}
}

// work is what one of the commands was asked for.
type work interface {
	flags() *flag.FlagSet // set what it is
	do(streams command.Streams) error
}

// sub returns the command behind noom token that does such work.
func sub(word string, asked func() work) command.Command {
	return command.Command{
		Name: "noom token " + word, Flags: func() *flag.FlagSet { return asked().flags() },
		Do: func(_ context.Context, args []string, streams command.Streams) error {
			w := asked()
			if _, err := command.Parse(w.flags(), args); err != nil {
				return err
			}
			return w.do(streams)
		},
	}
}

// keyWork makes a key.
type keyWork struct {
	out    string
	secret bool
}

func (w *keyWork) flags() *flag.FlagSet {
	flags := command.NewFlags()
	flags.StringVar(&w.out, "out", "", command.FileValue)
	flags.BoolVar(&w.secret, "secret", false, "")
	return flags
}

func (w *keyWork) do(streams command.Streams) error {
	if w.out == "" {
		return command.Wrong("-out says where the key goes")
	}
	if w.secret {
		return write(w.out, []byte(token.NewSecret()+"\n"), 0o600, "the secret, for issuer and hub", streams.Out)
	}
	private, public := token.NewKey()
	if err := write(w.out, private, 0o600, "the private key, for the issuer", streams.Out); err != nil {
		return err
	}
	return write(strings.TrimSuffix(w.out, ".pem")+".pub.pem", public, 0o644, "the public key, for the hub", streams.Out)
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
type keyFlag struct{ file, env string }

func (k *keyFlag) add(flags *flag.FlagSet) {
	flags.StringVar(&k.file, "key", "", command.FileValue)
	flags.StringVar(&k.env, "key-env", "", command.VariableValue)
}

func (k *keyFlag) read(stderr io.Writer) (token.Key, error) {
	switch {
	case (k.file == "") == (k.env == ""):
		return token.Key{}, command.Wrong("-key FILE or -key-env VARIABLE says where the key is")
	case k.env != "":
		text, ok := os.LookupEnv(k.env)
		if !ok {
			return token.Key{}, fmt.Errorf("the environment has no %s", k.env)
		}
		key, err := token.ParseKey([]byte(text))
		return key, wrap(k.env, err)
	}
	text, err := os.ReadFile(k.file)
	if err != nil {
		return token.Key{}, err
	}
	key, err := token.ParseKey(text)
	if info, statErr := os.Stat(k.file); err == nil && statErr == nil && key.CanSign() && info.Mode().Perm()&0o077 != 0 {
		_, _ = fmt.Fprintf(stderr, "noom token: warning: others can read the key in %s; chmod 600 helps\n", k.file)
	}
	return key, wrap(k.file, err)
}

func wrap(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

// signWork signs a token.
type signWork struct {
	key             keyFlag
	claims          token.Claims
	rights          string
	expires, starts time.Duration
	reusable        bool
}

func (w *signWork) flags() *flag.FlagSet {
	flags := command.NewFlags()
	w.key.add(flags)
	flags.StringVar(&w.claims.Room, "room", "", "")
	flags.StringVar(&w.claims.Subject, "subject", "", "")
	flags.StringVar(&w.claims.Account, "account", "", "")
	flags.StringVar(&w.claims.Name, "name", "", "")
	flags.StringVar(&w.rights, "rights", "", "publish chat kick lock mute close list none")
	flags.DurationVar(&w.expires, "expires", time.Hour, "")
	flags.DurationVar(&w.starts, "starts", 0, "")
	flags.BoolVar(&w.reusable, "reusable", false, "")
	return flags
}

func (w *signWork) do(streams command.Streams) error {
	c := w.claims
	var err error
	if c.Rights, err = parseRights(w.rights); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case w.expires <= 0 || w.starts < 0:
		return command.Wrong("-expires must be above 0 and -starts not below")
	case c.Room == "" && (len(c.Rights) != 1 || c.Rights[0] != signal.RightList):
		return command.Wrong("-room says which room the token is for")
	}
	c.Expires = now.Add(w.starts + w.expires)
	if w.starts > 0 {
		c.NotBefore = now.Add(w.starts)
	}
	if !w.reusable {
		c.ID = token.NewID()
	}
	key, err := w.key.read(streams.Err)
	if err != nil {
		return err
	}
	text, err := token.Sign(key, c)
	if err != nil {
		return plain(err)
	}
	_, err = fmt.Fprintln(streams.Out, text)
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
			return nil, command.Wrong("-rights: there is no %q, only %v", r, known)
		}
		rights = append(rights, r)
	}
	return rights, nil
}

// checkWork says what is in a token.
type checkWork struct{ key keyFlag }

func (w *checkWork) flags() *flag.FlagSet {
	flags := command.NewFlags()
	w.key.add(flags)
	return flags
}

func (w *checkWork) do(streams command.Streams) error {
	key, err := w.key.read(streams.Err)
	if err != nil {
		return err
	}
	verifier, err := token.NewVerifier(key)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(streams.In, 2*signal.MaxToken))
	if err != nil {
		return err
	}
	c, err := verifier.Verify(strings.TrimSpace(string(text)))
	if err != nil {
		return plain(err)
	}
	rights := "publish, chat"
	if c.Rights != nil {
		rights = cmp.Or(strings.Trim(fmt.Sprint(c.Rights), "[]"), "none")
	}
	_, err = fmt.Fprintf(streams.Out, "room %q\nsubject %q\naccount %q\nname %q\nrights %s\nid %q\nexpires %s\n",
		c.Room, c.Subject, c.Account, c.Name, rights, c.ID, c.Expires.Format(time.RFC3339))
	return err
}

// plain takes the name of the other package token out of an error.
func plain(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "token: ")) }
