package settingsfx

import "reflect"

// Reload reads the configuration again from where it came: the file as it is now, under the same
// flags and environment. It changes neither l nor anything on disk; a file that was there before must
// still be, and be one that can be read twice. The error is that of Load.
func (l *Loaded) Reload() (*Loaded, error) {
	src := l.source
	src.ReadOnly, src.again = true, l.File != ""
	return Load(src)
}

// Changed returns the keys that have another value than before, in the order of the file, then those
// that were in use and are no more, as those of a transport that was active.
func (l *Loaded) Changed(before *Loaded) []string {
	old := make(map[string]any, len(before.fields))
	for _, f := range before.fields {
		old[f.key] = f.plain()
	}
	var changed []string
	for _, f := range l.fields {
		was, had := old[f.key]
		if now := f.plain(); had && !reflect.DeepEqual(was, now) || !had && now != nil {
			changed = append(changed, f.key)
		}
		delete(old, f.key)
	}
	for _, f := range before.fields {
		if old[f.key] != nil {
			changed = append(changed, f.key)
		}
	}
	return changed
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
