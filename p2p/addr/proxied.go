package addr

import "strings"

// Userinfo is the user name and the password, percent-encoding undone; each is empty when there
// is none.
func (a Addr) Userinfo() (user, password string) {
	userinfo := strings.TrimSuffix(a.text[a.authorityStart():a.hostStart], "@")
	user, password, _ = strings.Cut(userinfo, ":")
	return decoded(user), decoded(password)
}

// Destination is what an address asks the proxy that it names for: tcp://host:port/ where a is
// socks5://proxy:port/host:port, percent-encoding undone. Without the port it has none either. It
// is false when anything but one host with its port follows the slash.
func (a Addr) Destination() (Addr, bool) {
	segment, ok := strings.CutPrefix(a.Path(), "/")
	if !ok || int(a.pathEnd) < len(a.text) {
		return Addr{}, false
	}
	host := decoded(segment)
	// All of these would have Parse find more in it than a host and a port, or less.
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`/\?#@%`, r) }) {
		return Addr{}, false
	}
	destination := reparse(TCP + "://" + host)
	return destination, !destination.IsZero()
}
