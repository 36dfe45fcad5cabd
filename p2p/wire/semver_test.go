package wire_test

import (
	"encoding/json"
	"testing"

	"dchat/p2p/wire"
)

func TestVersionsParse(t *testing.T) {
	for s, want := range map[string]wire.Semver{
		"0.0.0":                           {},
		"0.4.1":                           {Minor: 4, Patch: 1},
		"1.2.3-rc.1+build.007":            {Major: 1, Minor: 2, Patch: 3, Pre: "rc.1", Build: "build.007"},
		"1.0.0--":                         {Major: 1, Pre: "-"},
		"1.0.0+-":                         {Major: 1, Build: "-"},
		"1.0.0+a-b":                       {Major: 1, Build: "a-b"},
		"1.0.0-0a.0.-1":                   {Major: 1, Pre: "0a.0.-1"},
		"18446744073709551615.0.0-A.z+01": {Major: 1<<64 - 1, Pre: "A.z", Build: "01"},
	} {
		got, err := wire.ParseSemver(s)
		if err != nil || got != want {
			t.Errorf("%s parses to %+v, %v, want %+v", s, got, err, want)
		}
		if got.String() != s {
			t.Errorf("%s is written as %s", s, got)
		}
	}
}

func TestWhatIsNoVersionDoesNotParse(t *testing.T) {
	for _, s := range []string{
		"", "1", "1.2", "1.2.", "1.2.3.4", "v1.2.3", " 1.2.3", "1.2.3 ", "1.2.x", "1..3", "+1.2.3", "1.+2.3", "-1.2.3", "1_0.2.3",
		"01.2.3", "1.00.3", "18446744073709551616.0.0",
		"1.2.3-", "1.2.3+", "1.2.3-+b", "1.2.3-a+", "1.2.3-a..b", "1.2.3-.", "1.2.3-01", "1.2.3-a.00", "1.2.3-a b", "1.2.3-é",
		"1.2.3+a..b", "1.2.3+a+b", "1.2.3+a_b", "1.2.3+@", "1.2.3+[", "1.2.3+`", "1.2.3+{", "1.2.3-a\x00",
	} {
		if v, err := wire.ParseSemver(s); err == nil || v != (wire.Semver{}) {
			t.Errorf("%q parses to %+v, %v", s, v, err)
		}
	}
}

func TestWhatIsWrongWithAVersionIsSaidInPrintableText(t *testing.T) {
	for s, want := range map[string]string{
		"1.2.3-\u00e9": `version "1.2.3-\u00e9": pre-release: character '\u00c3'`,
		"1.2.3+\x1b":   `version "1.2.3+\x1b": build: character '\x1b'`,
		"1.2":          `version "1.2": not three numbers separated by dots`,
		"1.02.3":       `version "1.02.3": "02" is no number from 0 to 2^64-1 without leading zeros`,
	} {
		if _, err := wire.ParseSemver(s); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestVersionsAreCompatibleWhenMajorAndMinorAreTheSame(t *testing.T) {
	ours := wire.Semver{Minor: 4, Patch: 1}
	for s, want := range map[string]bool{
		"0.4.1": true, "0.4.0": true, "0.4.99-rc.1+b": true, "0.5.1": false, "0.3.1": false, "1.4.1": false,
	} {
		other, err := wire.ParseSemver(s)
		if err != nil {
			t.Fatal(err)
		}
		if ours.Compatible(other) != want || other.Compatible(ours) != want {
			t.Errorf("%s compatible with %s: want %v", ours, s, want)
		}
	}
}

func TestVersionsInJSON(t *testing.T) {
	var v wire.Semver
	if err := json.Unmarshal([]byte(`"1.2.3-rc.1"`), &v); err != nil || v.Pre != "rc.1" {
		t.Errorf("read as %+v, %v", v, err)
	}
	if b, err := json.Marshal(v); err != nil || string(b) != `"1.2.3-rc.1"` {
		t.Errorf("written as %s, %v", b, err)
	}
	before := v
	if err := json.Unmarshal([]byte(`"1.2"`), &v); err == nil || v != before {
		t.Errorf("a bad version gives %+v, %v", v, err)
	}
	if b, err := (wire.Semver{Pre: "01"}).MarshalText(); err == nil {
		t.Errorf("a version that does not parse is written as %s", b)
	}
}
