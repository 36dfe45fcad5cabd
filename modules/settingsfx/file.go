package settingsfx

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// program is a daemon that has a configuration file.
type program struct {
	fileName    string
	envPrefix   string // of the variables that are settings
	defaultFile string // is written where there is no file yet
	power       string // of those who reach its RPC
}

//go:embed default.toml
var defaultFile string

var dchatd = program{fileName: "dchatd_config.toml", envPrefix: "DCHAT_", defaultFile: defaultFile, power: "read and write as you"}

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 1 << 20

// file returns the text of the configuration file, which it writes first if there is none.
func (l *loader) file() (text string, ok bool) {
	path, explicit, err := l.path()
	if err != nil {
		l.addFileFault(Fault{Problem: err.Error()})
		return "", false
	}
	l.name = path
	if info, err := os.Stat(path); l.src.again && err == nil && !info.Mode().IsRegular() { // a pipe, say
		l.addFileFault(Fault{Problem: "cannot be read again: it is not a regular file"})
		return "", false
	}
	text, err = readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l.missingFile(path, explicit)
	}
	if err != nil {
		l.addFileFault(Fault{Problem: "cannot be read: " + reason(err)})
		return "", false
	}
	l.File = path
	return text, true
}

// missingFile writes the default file. Where that is not possible its text serves, unless the
// user has named the file.
func (l *loader) missingFile(path string, explicit bool) (text string, ok bool) {
	if (explicit || l.src.again) && l.src.ReadOnly {
		l.addFileFault(Fault{Problem: "there is no such file"})
		return "", false
	}
	if !l.src.ReadOnly {
		err := writeFile(path, l.defaultFile)
		if err == nil {
			l.File, l.Created = path, true
			return l.defaultFile, true
		}
		if explicit {
			l.addFileFault(Fault{Problem: "there is no such file, and it cannot be written: " + reason(err)})
			return "", false
		}
		l.warn(Origin{Name: path, Kind: FromFile}, "the default configuration is used, but cannot be written there: "+reason(err))
	}
	l.name = "built-in file"
	return l.defaultFile, true
}

func (l *loader) addFileFault(f Fault) {
	f.Origin.Kind, f.Origin.Name = FromFile, l.name
	l.faults = append(l.faults, f)
}

// path returns where the file is or will be, and whether the user said so.
func (l *loader) path() (path string, explicit bool, err error) {
	l.name = "configuration file"
	if l.src.Flags != nil {
		if flag := l.src.Flags.Lookup("config"); flag != nil && flag.Changed {
			if path, err = l.expand(flag.Value.String()); path == "" {
				err = errors.New("--config needs the path of a file")
			}
			return path, true, err
		}
	}
	dir := l.env["XDG_CONFIG_HOME"]
	if !filepath.IsAbs(dir) { // a relative one has no meaning
		dir, err = l.expand("~/.config")
	}
	return filepath.Join(dir, "darkfi", l.fileName), false, err
}

var errNoHome = errors.New("where is ~/? Set HOME, or give paths in full; the file with --config")

// expand puts the home directory in place of a leading "~/".
func (l *loader) expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home := l.env["HOME"]
	if home == "" {
		return path, errNoHome
	}
	return filepath.Join(home, rest), nil
}

// expandHome expands the paths among the settings.
func (l *loader) expandHome() {
	l.expandSetting("net.hostlist", &l.P2P.Hostlist)
	l.expandSetting("net.p2p_datastore", &l.P2P.Datastore)
	l.expandSetting("log.file", &l.Log.File)
}

func (l *loader) expandSetting(key string, path *string) {
	expanded, err := l.expand(*path)
	if err != nil {
		l.addFault(key, quote(*path), err.Error())
	}
	*path = expanded
}

func readFile(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if len(text) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return string(text), err
}

// writeFile makes a file that only its owner can read, and the directories above it. It
// is there as a whole or not at all.
func writeFile(path, text string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// reason is the error without the operation and the path, which are said already.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}
