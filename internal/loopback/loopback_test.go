package loopback

import "testing"

func TestIsHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"localhost.": true, "LocalHost.": true, "localhost..": false, "127.0.0.1.": false, ".": false,
		"": false, "0.0.0.0": false, "::": false, "192.0.2.1": false, "[::1]": false, "127.0.0.1:80": false,
		"localhost.example.test": false, "127.0.0.1.example.test": false, "example.test": false, "/var/run": false,
	} {
		if got := IsHost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
