package addr

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// authority appends user, password, host and port, and returns what is left: the path.
func (p *parser) authority(out []byte, rest string) (_ []byte, path, reason string) {
	end := strings.IndexAny(rest, p.slashes())
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	out = append(out, "//"...)
	at := strings.LastIndexByte(authority, '@')
	if at >= 0 {
		out = appendUserinfo(out, authority[:at])
	}
	authority = authority[at+1:]
	colon := portColon(authority)
	host, port := authority[:colon], authority[colon:]
	if host == "" && (p.special || at >= 0 || port != "") {
		return out, "", unbracketed(reasonNoHost, authority)
	}
	p.hostStart = uint16(len(out))
	if out, reason = appendHost(out, host, p.special); reason != "" {
		return out, "", reason
	}
	p.hostEnd = uint16(len(out))
	if port == "" {
		return out, path, ""
	}
	left := strings.TrimLeft(port[1:], "0123456789")
	if left != "" && left[0] != '\\' {
		return out, "", unbracketed(reasonPort, authority)
	}
	// A backslash ends the port in every scheme, also where it does not end the authority.
	path = rest[end-len(left):]
	out, reason = p.appendPort(out, port[1:len(port)-len(left)])
	return out, path, reason
}

// unbracketed adds to a reason what is wrong with an IPv6 address without brackets,
// whose first colon is taken for that of the port.
func unbracketed(reason, authority string) string {
	withoutPort := authority[:max(0, strings.LastIndexByte(authority, ':'))]
	for _, host := range []string{authority, withoutPort} {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
			return reason + reasonBrackets
		}
	}
	return reason
}

// portColon is where the port's colon stands in a host with port, or the length without one.
func portColon(authority string) int {
	bracket := false
	for i := range len(authority) {
		switch authority[i] {
		case '[':
			bracket = true
		case ']':
			bracket = false
		case ':':
			if !bracket {
				return i
			}
		}
	}
	return len(authority)
}

// appendUserinfo appends user and password with the '@' after them, or nothing when both are empty.
func appendUserinfo(out []byte, userinfo string) []byte {
	user, password, _ := strings.Cut(userinfo, ":")
	if user == "" && password == "" {
		return out
	}
	out = appendEncoded(out, user, userinfoSet)
	if password != "" {
		out = appendEncoded(append(out, ':'), password, userinfoSet)
	}
	return append(out, '@')
}

// appendPort appends the port, unless there is none or the scheme implies it.
func (p *parser) appendPort(out []byte, digits string) (_ []byte, reason string) {
	port := 0
	for i := range len(digits) {
		if port = port*10 + int(digits[i]-'0'); port > math.MaxUint16 {
			return out, reasonPort
		}
	}
	if digits == "" || port == int(p.defaultPort) && p.defaultPort != 0 {
		return out, ""
	}
	p.port = uint16(port)
	return strconv.AppendInt(append(out, ':'), int64(port), 10), ""
}
