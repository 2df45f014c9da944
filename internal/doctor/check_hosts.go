package doctor

import (
	"cmp"
	"slices"

	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

// checkHosts checks whether the hosts on this machine start this program, and how.
func (o Options) checkHosts() []Finding {
	var findings []Finding
	for _, host := range o.Hosts {
		findings = append(findings, o.checkHost(host)...)
	}
	if findings == nil {
		findings = append(findings,
			warning("host", "no known host is on this machine", "wesendall-mcp config HOST prints how to add one"))
	}
	return findings
}

func (o Options) checkHost(host hostconfig.DetectedHost) []Finding {
	var findings []Finding
	add := func(status Status, message, fix string) {
		findings = append(findings,
			Finding{"host", status, host.Title + " " + message + " (" + host.ConfigFile + ")", fix})
	}
	configCommand := "wesendall-mcp config " + host.Name
	switch {
	case host.Err != nil:
		add(StatusError, "has a file that cannot be read: "+host.Err.Error(), "fix the file: the host cannot read it either")
	case len(host.Servers) == 0:
		add(StatusWarning, "has no entry for this server", configCommand)
	}
	for _, s := range host.Servers {
		if s.Name != hostconfig.ServerName && s.Name != "" && s.Project == "" && hasStandardEntry(host) {
			add(StatusWarning, "has this server twice, also as "+s.Name, "remove that entry: the agent gets each tool twice")
		}
		scope := ""
		if s.Project != "" {
			scope = " (only in " + s.Project + ")"
		}
		switch {
		case s.Disabled:
			add(StatusWarning, "has disabled "+s.Name+scope, "enable it in the host")
		case s.URL != "":
			add(StatusOK, "uses the server at "+s.URL+scope, "")
		case s.Err != nil:
			add(StatusError, "cannot start "+s.Name+scope+": "+s.Err.Error(), configCommand)
		case !s.IsThisBinary:
			add(StatusError, "starts another program"+scope+": "+s.Command, configCommand)
		default:
			add(StatusOK, "starts this program"+scope, "")
			findings = append(findings, o.checkHostEntry(host, s)...)
		}
	}
	return findings
}

// hasStandardEntry tells whether a host has an entry under the usual name.
func hasStandardEntry(host hostconfig.DetectedHost) bool {
	return slices.ContainsFunc(host.Servers, func(s hostconfig.ServerEntry) bool {
		return s.Name == hostconfig.ServerName && s.Project == ""
	})
}

// describeHostEntry says what an entry runs. It fails where that is not what doctor checks.
func (o Options) describeHostEntry(host hostconfig.DetectedHost, s hostconfig.ServerEntry) []Finding {
	if o.DescribeHostEntry == nil {
		return nil
	}
	description, difference := o.DescribeHostEntry(s)
	switch {
	case description == "":
		return nil
	case difference != "":
		return []Finding{failure("host", host.Title+" "+description+"; "+difference,
			"run doctor with the --sandbox or --env-file of the entry, or change the entry: wesendall-mcp config "+host.Name)}
	}
	return []Finding{ok("host", host.Title+" "+description)}
}

// checkHostEntry checks the arguments and credentials of an entry that starts this program.
func (o Options) checkHostEntry(host hostconfig.DetectedHost, s hostconfig.ServerEntry) []Finding {
	if s.HasVariables() {
		return []Finding{warning("host", host.Title+" replaces variables in its entry (${…}), so it cannot be checked here",
			"if the server then reports a placeholder, write the value itself")}
	}
	findings := o.describeHostEntry(host, s)
	findings = append(findings, checkFileMode("host", s.FlagValue("--env-file"))...)
	findings = append(findings, checkFileMode("host", s.Env["WESENDALL_API_SECRET_FILE"])...)
	if s.Env["WESENDALL_API_SECRET"] != "" {
		findings = append(findings, checkFileMode("host", host.ConfigFile)...)
	}
	if problem := o.CheckHostEntry(s); problem != "" {
		file := cmp.Or(s.FlagValue("--env-file"), host.ConfigFile)
		findings = append(findings, failure("host", host.Title+" has an entry that does not work: "+problem,
			"fix "+file+"; the credentials are on the page API of the dashboard"))
	}
	return findings
}
