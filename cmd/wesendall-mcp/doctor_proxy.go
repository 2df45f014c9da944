package main

import (
	"net/url"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

// proxyProblems names the proxy variables that do nothing for calls to a base URL, without their
// values, which may have a password. Go reads HTTPS_PROXY and NO_PROXY, in upper or lower case.
func proxyProblems(lookup lookupFunc, baseURL string) []string {
	if u, err := url.Parse(baseURL); err != nil || loopback.IsHost(u.Hostname()) {
		return nil // calls to this machine use no proxy
	}
	first := func(names ...string) (name, value string) {
		for _, name := range names {
			if value, _ := lookup(name); value != "" {
				return name, value
			}
		}
		return "", ""
	}
	var problems []string
	used, value := first("HTTPS_PROXY", "https_proxy")
	if used != "" && !isProxyAddress(value) {
		problems = append(problems, used+" cannot be read as an address, so it does not work")
	}
	for _, names := range [][]string{{"ALL_PROXY", "all_proxy"}, {"HTTP_PROXY", "http_proxy"}} {
		if name, _ := first(names...); name != "" && used == "" {
			problems = append(problems, name+" is ignored for https addresses, so no proxy is used")
		}
	}
	return problems
}

// isProxyAddress tells whether a value is the address of a proxy, with or without a scheme.
func isProxyAddress(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	return err == nil && u.Hostname() != ""
}
