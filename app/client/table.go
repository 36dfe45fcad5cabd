package client

import (
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// widest is how many characters the first column of a table has at most. IPv4 addresses and
// most names fit; onion names and paths of sockets do not.
const widest = 40

// printTable prints lines whose columns are set off by tabs. What is too long for the first
// column stands in a line above its own, so that the others stay where they are.
func (c *cli) printTable(text string) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	above := make([]string, len(lines))
	for i, line := range lines {
		if first, rest, ok := strings.Cut(line, "\t"); ok && utf8.RuneCountInString(first) > widest {
			above[i], lines[i] = first+"\n", "\t"+rest
		}
	}
	var aligned, out strings.Builder
	table := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	if _, err := table.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i, line := range strings.Split(aligned.String(), "\n") {
		out.WriteString(above[i] + line + "\n")
	}
	return c.printf("%s", &out)
}
