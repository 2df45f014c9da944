package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

type promptCmd struct {
	Language  *string `help:"Language of the integration." placeholder:"NAME"`
	Framework string  `help:"Its framework." default:"none" placeholder:"NAME"`
	UseCase   *string `help:"What the integration is for." placeholder:"NAME"`
	Details   string  `help:"More requirements, or - to read them from stdin." placeholder:"TEXT"`
	List      bool    `help:"Print the choices instead."`
}

// Run prints the text of the prompt integrate_wesendall.
func (c promptCmd) Run(env environment) error {
	available := prompts.All(reference.New())
	isIntegration := func(prompt prompts.Prompt) bool { return prompt.Name == "integrate_wesendall" }
	prompt := available[slices.IndexFunc(available, isIntegration)]
	values := prompts.Values{"framework": c.Framework, "details": c.Details}
	required := map[string]*string{"language": c.Language, "use_case": c.UseCase}
	for name, value := range required {
		if value != nil {
			values[name] = *value
		}
	}
	choices := func(name string) string { return strings.Join(prompt.Complete(name, "", values), ", ") }
	if c.List {
		_, err := fmt.Fprintf(env.stdout, "--language   %s\n--framework  %s\n--use-case   %s\n",
			choices("language"), choices("framework"), choices("use_case"))
		return err
	}
	for _, name := range []string{"language", "use_case"} {
		if required[name] == nil {
			return usageErrorf("prompt: --%s is missing: choose one of %s",
				strings.ReplaceAll(name, "_", "-"), choices(name))
		}
	}
	if c.Details == "-" {
		text, err := io.ReadAll(env.stdin)
		if err != nil {
			return err
		}
		values["details"] = string(sanitize.TrimByteOrderMark(text))
	}
	text, err := prompt.Text(values)
	if err != nil {
		return err
	}
	_, err = io.WriteString(env.stdout, text)
	return err
}
