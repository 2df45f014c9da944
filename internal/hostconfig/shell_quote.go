package hostconfig

import "strings"

// ShellQuote formats a command for a shell: for PowerShell on Windows, else for a POSIX shell.
func ShellQuote(command []string, goos string) string {
	quote := quotePOSIX
	if goos == "windows" {
		quote = quotePowerShell
	}
	quoted := make([]string, len(command))
	for i, word := range command {
		quoted[i] = quote(word)
	}
	if goos == "windows" && strings.HasPrefix(quoted[0], "'") {
		quoted[0] = "& " + quoted[0] // a quoted program is only a string without it
	}
	return strings.Join(quoted, " ")
}

func quotePOSIX(word string) string {
	if word != "" && !strings.ContainsFunc(word, needsQuoting) && !strings.Contains(word, `\`) {
		return word
	}
	return `'` + strings.ReplaceAll(word, `'`, `'\''`) + `'`
}

// quotePowerShell writes a double quote as \", because PowerShell passes arguments to programs
// without escaping them. A comma makes a list there, @ a variable, and -- ends the parameters of a
// script, such as the one that npm installs for a program.
func quotePowerShell(word string) string {
	if word != "" && word != "--" && !strings.ContainsFunc(word, needsQuoting) && !strings.ContainsAny(word, "@,") {
		return word
	}
	word = strings.ReplaceAll(strings.ReplaceAll(word, `'`, `''`), `"`, `\"`)
	return `'` + word + `'`
}

func needsQuoting(r rune) bool {
	isLetter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	isDigit := r >= '0' && r <= '9'
	return !isLetter && !isDigit && !strings.ContainsRune(`-_./:=@+,\`, r)
}
