package settingsfx

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup is a configuration as a user gives it.
type setup struct {
	toml string
	env  []string
	args []string
}

// load loads a setup. The file is in a directory of its own, which is also the home directory.
func (s setup) load(t *testing.T) (loaded *Loaded, file string, err error) {
	t.Helper()
	home := t.TempDir()
	file = filepath.Join(home, "test.toml")
	if err := os.WriteFile(file, []byte(s.toml), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err = Load(Source{
		Flags: parse(t, append([]string{"--config", file}, s.args...)...),
		Env:   append([]string{"HOME=" + home}, s.env...),
	})
	return loaded, file, err
}

// mustLoad loads a setup that is valid.
func (s setup) mustLoad(t *testing.T) *Loaded {
	t.Helper()
	loaded, _, err := s.load(t)
	if err != nil {
		t.Fatalf("%s\n%v", s.toml, err)
	}
	return loaded
}

// mustFail loads a setup that is not, and returns what is said about it.
func (s setup) mustFail(t *testing.T) (faults []Fault, file string) {
	t.Helper()
	_, file, err := s.load(t)
	var config *ConfigError
	if !errors.As(err, &config) || len(config.Faults) == 0 {
		t.Fatalf("%s\ngot %v, want a *ConfigError", s.toml, err)
	}
	if got := strings.Count(config.Error(), "\n") + 1; got != len(config.Faults) {
		t.Fatalf("%d lines for %d faults:\n%v", got, len(config.Faults), config)
	}
	return config.Faults, file
}

func parse(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

// recorded is what the reference does, see testdata.
type recorded struct {
	Settings []struct {
		Name   string
		Net    string
		Result json.RawMessage
	}
	Defaults map[string]any                   `json:"settings_defaults"`
	Cases    []struct{ Name, Outcome string } `json:"config_cases"`
}

func readVectors(t *testing.T) (v recorded) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
