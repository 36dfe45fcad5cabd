package client

import (
	"fmt"
	"strings"
	"time"

	"dchat/app/doctor"
)

// labels is the width of the column of what was looked at.
const labels = len(doctor.StageExternal) + 2

// printReport prints a line for each check, with its advice below it, and the summary
// last, where it is seen. The steps at one address stand together below its name.
func (c *cli) printReport(r doctor.Report, asJSON bool) error {
	if asJSON {
		return c.printJSON(r)
	}
	var b strings.Builder
	heading := ""
	for _, check := range r.Checks {
		label, text := check.Stage, check.Detail
		switch {
		case check.Step != "":
			if above := check.Stage + " " + check.Target; above != heading {
				heading = above
				writeLine(&b, "", check.Stage, check.Target)
			}
			label = "  " + check.Step
		case check.Stage == doctor.StageSlot && check.Target != "":
			label += " " + check.Target
		case check.Target != "":
			text = check.Target + ": " + text
		}
		if check.Took >= time.Millisecond {
			text += fmt.Sprintf(" (%v)", check.Took.Round(time.Millisecond))
		}
		writeLine(&b, mark(check.Status), label, text)
		if check.Advice != "" {
			writeLine(&b, "", "", "  "+check.Advice)
		}
	}
	return c.printf("%s\n%s\n", b.String(), escape(r.Summary))
}

func writeLine(b *strings.Builder, mark, label, text string) {
	fmt.Fprintf(b, "%-2s  %-*s%s\n", mark, labels, escape(label), escape(text))
}

func mark(s doctor.Status) string {
	switch s {
	case doctor.OK:
		return "ok"
	case doctor.Warn:
		return " !"
	case doctor.Fail:
		return "!!"
	case doctor.Skip:
		return "--"
	default: // of a daemon that knows more
		return "??"
	}
}
