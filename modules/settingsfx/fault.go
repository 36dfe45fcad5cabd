package settingsfx

import (
	"cmp"
	"fmt"
	"strings"
)

// ConfigError holds all faults of a configuration.
type ConfigError struct {
	Faults []Fault // at least one; those of the file first, in its order
}

// Error has one line for each fault.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Origin  Origin // where it stands
	Key     string // with its tables, such as "net.outbound_connections"; empty when it is about the whole file
	Value   string // what the key is set to, as in TOML, without secrets; may be empty
	Problem string // what is wrong with it, or what is expected instead
}

// String is one line of printable characters: place: key = value: problem.
func (f Fault) String() string {
	line := f.Origin.String() + ": "
	if f.Key != "" {
		line += f.Key
		if f.Value != "" {
			line += " = " + f.Value
		}
		line += ": "
	}
	return printable(line + f.Problem)
}

// Kind says which layer a value comes from.
type Kind int

// The layers, each over those before it.
const (
	FromDefault Kind = iota
	FromFile
	FromEnv
	FromFlag
)

// Origin is where a value was set. The zero value is a default.
type Origin struct {
	Kind Kind
	Name string // the path of the file, the name of the variable, or of the flag with its dashes
	Line int    // in the file, from 1; 0 when it is not known
}

// String is path:line, the name of the variable or flag, or "default".
func (o Origin) String() string {
	switch {
	case o.Kind == FromDefault:
		return "default"
	case o.Line > 0:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	default:
		return o.Name
	}
}

func compareFaults(a, b Fault) int {
	return cmp.Or(cmp.Compare(a.Origin.Kind, b.Origin.Kind), cmp.Compare(a.Origin.Line, b.Origin.Line))
}
