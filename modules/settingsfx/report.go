package settingsfx

// Report tells how a configuration was read.
type Report struct {
	// File is the file that was read. Created tells that it was not there and has just been
	// written with the defaults. Both are zero when there is no file and none could be written.
	File    string
	Created bool

	// Warnings are for the user to read, one line each: keys that have no effect, and
	// settings that are allowed and seldom meant.
	Warnings []string

	// Origins tells for every key that was set, such as "net.peers", where.
	Origins map[string]Origin

	fields []field
}

// Where says where a key is to be changed: by the flag or the variable that set it, or in the file.
func (r *Report) Where(key string) string {
	if origin := r.Origins[key]; origin.Kind == FromFlag || origin.Kind == FromEnv {
		return origin.Name
	}
	if r.File == "" { // there is none, and none could be written
		return key
	}
	return key + " in " + r.File
}
