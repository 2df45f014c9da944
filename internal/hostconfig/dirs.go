package hostconfig

import (
	"path/filepath"
	"runtime"
)

// Dirs are the directories in which hosts keep their files.
type Dirs struct {
	Home   string // the user's home directory
	Config string // where programs keep their configuration
	GOOS   string // runtime.GOOS
}

// CurrentDirs returns the directories on this system.
func CurrentDirs(home, config string) Dirs { return Dirs{home, config, runtime.GOOS} }

func inHome(parts ...string) func(Dirs) string {
	return func(dirs Dirs) string { return filepath.Join(append([]string{dirs.Home}, parts...)...) }
}

func inConfig(parts ...string) func(Dirs) string {
	return func(dirs Dirs) string { return filepath.Join(append([]string{dirs.Config}, parts...)...) }
}

// inDotConfig is for hosts that use ~/.config on every system.
func inDotConfig(parts ...string) func(Dirs) string {
	return func(dirs Dirs) string {
		base := dirs.Config
		if dirs.GOOS != "linux" {
			base = filepath.Join(dirs.Home, ".config")
		}
		return filepath.Join(append([]string{base}, parts...)...)
	}
}

// inZedDir differs from inDotConfig on Windows only.
func inZedDir(name string) func(Dirs) string {
	return func(dirs Dirs) string {
		if dirs.GOOS == "windows" {
			return filepath.Join(dirs.Config, "Zed", name)
		}
		return inDotConfig("zed", name)(dirs)
	}
}
