package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"noom/cmd/noom/command"
)

const completionUsage = `noom completion prints a script that completes noom's words and flags:

  bash   source <(noom completion bash)                  # in ~/.bashrc
  zsh    source <(noom completion zsh)                   # in ~/.zshrc, behind compinit
  fish   noom completion fish > ~/.config/fish/completions/noom.fish
`

// completing is the word by which the scripts ask for candidates.
const completing = "__complete"

var scripts = map[string]string{
	"bash": `_noom() {
  local line name
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = :files ]; then
      compopt -o filenames
      while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    else
      COMPREPLY+=("$line")
    fi
  done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _noom noom
`,
	"zsh": `#compdef noom
_noom() {
  local line
  local -a found
  for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then
      _files
    elif [[ -n $line ]]; then
      found+=("$line")
    fi
  done
  if (( $#found )); then compadd -- $found; fi
}
compdef _noom noom
`,
	"fish": `function __noom_complete
  set -l typed (commandline -opc) (commandline -ct)
  for line in (command $typed[1] __complete $typed[2..-1] 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c noom -f -a '(__noom_complete)'
`,
}

func completionCommand() command.Command {
	shells := slices.Sorted(maps.Keys(scripts))
	return command.Command{
		Name: "noom completion", Summary: "print a script for a shell, which completes words and flags",
		Usage: completionUsage, Words: [][]string{shells},
		Do: func(_ context.Context, args []string, streams command.Streams) error {
			values, err := command.Parse(command.NewFlags(), args, "bash, fish or zsh")
			if err != nil {
				return err
			}
			script, ok := scripts[values[0]]
			if !ok {
				return command.Wrong("there is no script for %q, only for bash, fish and zsh", values[0])
			}
			_, err = fmt.Fprint(streams.Out, script)
			return err
		},
	}
}

// completeCommand prints the candidates for the words that a script has.
func completeCommand() command.Command {
	return command.Command{
		Name: "noom " + completing, Hidden: true,
		Do: func(_ context.Context, args []string, streams command.Streams) error {
			for _, candidate := range program().Complete(args) {
				if _, err := fmt.Fprintln(streams.Out, candidate); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
