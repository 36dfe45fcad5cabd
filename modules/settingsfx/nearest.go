package settingsfx

import (
	"reflect"
	"slices"
	"strings"
)

// nearest returns the candidate that takes the fewest changes of a letter to become key; one with
// the same last part in another table counts as one change away, and so does one that key begins.
func nearest(key string, candidates []string) string {
	slices.Sort(candidates)
	best, least := "", 0
	for _, c := range candidates {
		d := min(distance(key, c), 1+distance(lastPart(key), lastPart(c)))
		if strings.HasPrefix(c, key) {
			d = min(d, 1)
		}
		if best == "" || d < least {
			best, least = c, d
		}
	}
	return best
}

func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// distance is the number of letters to insert, delete or replace to turn a into b, of which
// only the beginning counts.
func distance(a, b string) int {
	const most = 80
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	row := make([]int, len(b)+1) // from what was read of a to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// isTableName tells whether known keys are below key.
func isTableName(known map[string]reflect.Type, key string) bool {
	for k := range known {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// tableNames are all tables that known keys are in, in order.
func tableNames(known map[string]reflect.Type) []string {
	var names []string
	for key := range known {
		for i, c := range key {
			if c == '.' {
				names = append(names, key[:i])
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unknownScheme says what is wrong with the name of a transport; nothing if it is known.
func (l *loader) unknownScheme(scheme string) string {
	if slices.Contains(l.schemes, scheme) {
		return ""
	}
	return "unknown transport " + quote(scheme) + "; the nearest known one is " + nearest(scheme, slices.Clone(l.schemes))
}
