package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/mattn/go-isatty"
)

// hasUser reports whether stdin and stdout are a terminal, where a user can answer.
func (env environment) hasUser() bool {
	return isatty.IsTerminal(env.stdin.Fd()) && isatty.IsTerminal(env.stdout.Fd())
}

// askYesNo asks on the terminal. Anything but y or yes is a no, also the end of input.
func (env environment) askYesNo(question string) (bool, error) {
	if _, err := fmt.Fprintf(env.stderr, "%s [y/N] ", question); err != nil {
		return false, err
	}
	reply, _ := bufio.NewReader(env.stdin).ReadString('\n')
	reply = strings.ToLower(strings.TrimSpace(reply))
	return reply == "y" || reply == "yes", nil
}
