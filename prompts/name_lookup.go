package prompts

import "strings"

// nameable is a language, a framework or a use case.
type nameable interface {
	names() (name string, aliases []string)
}

func nameList[T nameable](items []T) []string {
	var list []string
	for _, item := range items {
		name, _ := item.names()
		list = append(list, name)
	}
	return list
}

var namePunctuation = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "")

func normalizeName(name string) string { return namePunctuation.Replace(strings.ToLower(name)) }

// findByName finds an item by its name or an alias. Case, spaces, dashes, underscores and dots
// do not matter.
func findByName[T nameable](items []T, typed string) (T, bool) {
	for _, item := range items {
		name, aliases := item.names()
		for _, alias := range append(aliases, name) {
			if normalizeName(alias) == normalizeName(typed) {
				return item, true
			}
		}
	}
	var zero T
	return zero, false
}
