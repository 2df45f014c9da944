package hostconfig

import "strings"

// ShellQuote formats a command for a shell. On Windows it uses double quotes, which both
// cmd.exe and PowerShell accept.
func ShellQuote(command []string, goos string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		isPlain := word != "" && !strings.ContainsFunc(word, needsQuoting)
		switch {
		case isPlain && (goos == "windows" || !strings.Contains(word, `\`)):
			quoted[i] = word
		case goos == "windows":
			quoted[i] = `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
		default:
			quoted[i] = `'` + strings.ReplaceAll(word, `'`, `'\''`) + `'`
		}
	}
	return strings.Join(quoted, " ")
}

func needsQuoting(r rune) bool {
	isLetter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	isDigit := r >= '0' && r <= '9'
	return !isLetter && !isDigit && !strings.ContainsRune(`-_./:=@+,\`, r)
}
