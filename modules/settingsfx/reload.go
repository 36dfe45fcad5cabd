package settingsfx

import (
	"reflect"
	"slices"
	"strings"
)

// Reload reads the configuration again from where it came: the file as it is now, under the same
// flags and environment. It changes neither l nor anything on disk; a file that was there before must
// still be, and be one that can be read twice. The error is that of Load.
func (l *Loaded) Reload() (*Loaded, error) {
	return Load(l.source.reread(l.File))
}

// Reload reads the configuration again, as Loaded.Reload does.
func (l *LoadedLilith) Reload() (*LoadedLilith, error) {
	return LoadLilith(l.source.reread(l.File))
}

// reread is the source where it has been read before, with this file or none.
func (s Source) reread(file string) Source {
	s.ReadOnly, s.again = true, file != ""
	return s
}

// Changed returns the keys that have another value than before, in the order of the file, then those
// that were in use and are no more, as those of a transport that was active. A network that came or
// went is one key, such as network.dchat.
func (r *Report) Changed(before *Report) []string {
	old := make(map[string]any, len(before.fields))
	for _, f := range before.fields {
		old[f.key] = f.plain()
	}
	var changed []string
	for _, f := range r.fields {
		was, had := old[f.key]
		switch now := f.plain(); {
		case had && !reflect.DeepEqual(was, now):
			changed = append(changed, f.key)
		case !had && now != nil:
			changed = append(changed, whole(f.key))
		}
		delete(old, f.key)
	}
	for _, f := range before.fields {
		if old[f.key] != nil {
			changed = append(changed, whole(f.key))
		}
	}
	return slices.Compact(changed)
}

// whole is what comes and goes with a key: the network that it is in, if it is in one.
func whole(key string) string {
	if strings.HasPrefix(key, networksKey+".") {
		return strings.TrimSuffix(key, "."+lastPart(key))
	}
	return key
}

// plain is the value without pointers; nil for a nil pointer and an empty list, which mean the same.
func (f field) plain() any {
	v := f.value
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return nil
	}
	return v.Interface()
}
