package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Semver is a semantic version. The zero value is 0.0.0. Versions are comparable with ==, which looks at every field.
type Semver struct {
	Major, Minor, Patch uint64
	Pre, Build          string // without their leading - and +, empty when absent
}

// ParseSemver reads a version such as 0.4.1 or 1.2.3-rc.1+build.7. The three numbers are below 2^64 and have no leading zeros.
// Pre-release and build are parts of letters, digits and hyphens, separated by dots; in a pre-release a part of digits alone
// has no leading zero.
func ParseSemver(s string) (Semver, error) {
	v, err := parseSemver(s)
	if err != nil {
		return Semver{}, fmt.Errorf("version %s: %w", escape(s, 64), err)
	}
	return v, nil
}

func parseSemver(s string) (Semver, error) {
	var v Semver
	var hasPre, hasBuild bool
	s, v.Build, hasBuild = strings.Cut(s, "+")
	s, v.Pre, hasPre = strings.Cut(s, "-")
	if hasPre && v.Pre == "" || hasBuild && v.Build == "" {
		return Semver{}, errEmptyPart
	}
	numbers := strings.Split(s, ".")
	if len(numbers) != 3 {
		return Semver{}, errors.New("not three numbers separated by dots")
	}
	for i, to := range []*uint64{&v.Major, &v.Minor, &v.Patch} {
		n, err := strconv.ParseUint(numbers[i], 10, 64)
		if err != nil || numbers[i][0] == '+' || leadingZero(numbers[i]) {
			return Semver{}, fmt.Errorf("%s is no number from 0 to 2^64-1 without leading zeros", escape(numbers[i], 32))
		}
		*to = n
	}
	return v, v.validate()
}

// Compatible reports whether nodes of the two versions understand each other: major and minor are the same.
func (v Semver) Compatible(other Semver) bool {
	return v.Major == other.Major && v.Minor == other.Minor
}

// String returns the version as ParseSemver reads it.
func (v Semver) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	if v.Build != "" {
		s += "+" + v.Build
	}
	return s
}

// MarshalText returns the version as ParseSemver reads it, or an error when Pre or Build is not valid.
func (v Semver) MarshalText() ([]byte, error) {
	if err := v.validate(); err != nil {
		return nil, err
	}
	return []byte(v.String()), nil
}

// UnmarshalText is ParseSemver for configuration files and JSON.
func (v *Semver) UnmarshalText(text []byte) error {
	parsed, err := ParseSemver(string(text))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

var errEmptyPart = errors.New("empty part in pre-release or build")

// validate checks Pre and Build.
func (v Semver) validate() error {
	if err := validParts(v.Pre, false); err != nil {
		return fmt.Errorf("pre-release: %w", err)
	}
	if err := validParts(v.Build, true); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// validParts checks the parts of a pre-release or a build.
func validParts(s string, zerosAllowed bool) error {
	if s == "" {
		return nil
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return errEmptyPart
		}
		digits := true
		for i := range len(part) {
			c := part[i]
			isDigit := '0' <= c && c <= '9'
			if !isDigit && c != '-' && (c|0x20 < 'a' || c|0x20 > 'z') {
				return fmt.Errorf("character %+q", c)
			}
			digits = digits && isDigit
		}
		if digits && !zerosAllowed && leadingZero(part) {
			return errors.New("number with a leading zero")
		}
	}
	return nil
}

func leadingZero(digits string) bool { return len(digits) > 1 && digits[0] == '0' }
