package portmap

import (
	"net/netip"
	"strings"
	"testing"
)

// TestOnlyTheRouterThatPacketsGoToIsBelieved, or who is around when that is not known.
func TestOnlyTheRouterThatPacketsGoToIsBelieved(t *testing.T) {
	known := network{netip.MustParseAddr("192.168.1.7"), netip.MustParsePrefix("192.168.1.0/24"), netip.MustParseAddr("192.168.1.1")}
	unknown := known
	unknown.gateway = netip.Addr{}
	for _, c := range []struct {
		ip               string
		known, otherwise bool
	}{
		{"192.168.1.1", true, true},
		{"192.168.1.9", false, true},
		{"192.168.1.7", false, false}, // this machine
		{"192.168.2.1", false, false},
		{"51.1.1.1", false, false},
		{"127.0.0.1", false, false},
	} {
		ip := netip.MustParseAddr(c.ip)
		if known.believes(ip) != c.known || unknown.believes(ip) != c.otherwise {
			t.Errorf("%s: believed %v and %v, want %v and %v", ip, known.believes(ip), unknown.believes(ip), c.known, c.otherwise)
		}
	}
}

func answerOf(location string) string {
	return "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLocation: " + location + "\r\n\r\n"
}

func TestAnAnswerLeadsOnlyToWhoGaveIt(t *testing.T) {
	const good = "http://192.168.1.1:5000/root.xml"
	for _, c := range []struct {
		name, packet, want string
	}{
		{"good", answerOf(good), good},
		{"no port", answerOf("http://192.168.1.1/root.xml"), "http://192.168.1.1/root.xml"},
		{"another machine", answerOf("http://192.168.1.2:5000/root.xml"), ""},
		{"this machine", answerOf("http://127.0.0.1:51054/"), ""},
		{"the internet", answerOf("http://51.1.1.1/"), ""},
		{"a name", answerOf("http://router.example/"), ""},
		{"a name and its address", answerOf("http://192.168.1.1.example/"), ""},
		{"a number in another form", answerOf("http://3232235777/"), ""},
		{"another scheme", answerOf("https://192.168.1.1/"), ""},
		{"a file", answerOf("file:///etc/passwd"), ""},
		{"a user", answerOf("http://u:p@192.168.1.1/"), ""},
		{"no URL", answerOf("http://192.168.1.1:port/"), ""},
		{"nothing", answerOf(""), ""},
		{"not found", strings.Replace(answerOf(good), "200 OK", "404 Not Found", 1), ""},
		{"another device", strings.Replace(answerOf(good), "InternetGatewayDevice", "MediaServer", 1), ""},
		{"no answer", "M-SEARCH * HTTP/1.1\r\n\r\n", ""},
		{"cut off", answerOf(good)[:60], ""},
		{"empty", "", ""},
	} {
		got := ""
		if u := parseAnswer([]byte(c.packet), netip.MustParseAddr("192.168.1.1")); u != nil {
			got = u.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzAnAnswerLeadsOnlyToWhoGaveIt(f *testing.F) {
	f.Add([]byte(answerOf("http://192.168.1.1:5000/root.xml")))
	f.Add([]byte(answerOf("http://192.168.1.1@51.1.1.1/root.xml")))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99999999999\r\n\r\n"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		u := parseAnswer(packet, netip.MustParseAddr("192.168.1.1"))
		if u != nil && (u.Hostname() != "192.168.1.1" || u.Scheme != "http") {
			t.Errorf("%q leads to %v", packet, u)
		}
	})
}
