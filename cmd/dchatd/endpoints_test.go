package main_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"dchat/p2p/addr"
)

// bound waits until the RPC listens on the port it has chosen, and returns its address.
func (d *daemon) bound() addr.Addr {
	d.T.Helper()
	return addr.MustParse(d.Logged(`rpc: Listening addr=(\S+)`)[1])
}

// The same methods answer at every kind of address.
func TestEndpoints(t *testing.T) {
	for _, scheme := range []string{"unix", "tcp", "http+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s := setup{}
			if scheme != "unix" {
				s.rpc = scheme + "://127.0.0.1:0"
			}
			d := s.start(t)
			if scheme != "unix" {
				d.RPC = d.bound()
			}
			peer := connect(t, d)
			c := d.Client()
			events, err := c.Subscribe(t.Context(), "chat.subscribe", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = events.Close() }()
			var receipt rpcReceipt
			if err := c.Call(t.Context(), "chat.send", []string{"hello"}, &receipt); err != nil || receipt.Peers != 1 {
				t.Errorf("chat.send: %+v, %v", receipt, err)
			}
			if _, err := events.Next(t.Context()); err != nil {
				t.Error(err)
			}
			if path, ok := d.RPC.FilePath(); ok {
				info, err := os.Stat(path)
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("mode %v, %v", info.Mode(), err)
				}
			}
			peer.Alive()
			d.refused(-32601, "no.such.method")
			d.refused(-32602, "send", 1)
		})
	}
}

// post sends a request over HTTP as something else than a well-meaning client may, and returns the
// status of the answer.
func post(t *testing.T, at addr.Addr, method, body string, header map[string]string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+at.HostPort()+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}

// A web page cannot make a browser send texts, neither over HTTP nor by a POST to the line port.
func TestBrowsersAreRefused(t *testing.T) {
	t.Parallel()
	d := setup{rpc: "http+tcp://127.0.0.1:0"}.start(t)
	d.RPC = d.bound()
	connect(t, d)
	send := strings.TrimSpace(request(1, "send", `["hello"]`))
	for name, c := range map[string]struct {
		method string
		header map[string]string
		want   int
	}{
		"no browser":     {http.MethodPost, map[string]string{"Content-Type": "application/json"}, 200},
		"foreign origin": {http.MethodPost, map[string]string{"Content-Type": "application/json", "Origin": "http://evil.example"}, 403},
		"null origin":    {http.MethodPost, map[string]string{"Content-Type": "application/json", "Origin": "null"}, 403},
		"foreign host":   {http.MethodPost, map[string]string{"Content-Type": "application/json", "Host": "evil.example"}, 403},
		"foreign host, our port": {http.MethodPost, map[string]string{"Content-Type": "application/json",
			"Host": "evil.example:" + d.RPC.HostPort()[strings.LastIndexByte(d.RPC.HostPort(), ':')+1:]}, 403},
		"cross-site":        {http.MethodPost, map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403},
		"same-site":         {http.MethodPost, map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}, 403},
		"form":              {http.MethodPost, map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example"}, 403},
		"text, as no-cors":  {http.MethodPost, map[string]string{"Content-Type": "text/plain", "Origin": "http://evil.example"}, 403},
		"text, no origin":   {http.MethodPost, map[string]string{"Content-Type": "text/plain"}, 415},
		"preflight":         {http.MethodOptions, map[string]string{"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}, 403},
		"image":             {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, 403},
		"get without marks": {http.MethodGet, nil, 405},
	} {
		before := len(ask[[]rpcEntry](d, "chat.history"))
		if got := post(t, d.RPC, c.method, send, c.header); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
		if ran := len(ask[[]rpcEntry](d, "chat.history")) > before; ran != (c.want == 200) {
			t.Errorf("%s: a text was sent: %v", name, ran)
		}
	}
}

// The line port drops an HTTP request at its first byte; nothing in its body is run.
func TestPostToTheLinePort(t *testing.T) {
	t.Parallel()
	d := setup{rpc: "tcp://127.0.0.1:0"}.start(t)
	d.RPC = d.bound()
	connect(t, d)
	body := request(1, "send", `["from a web page"]`)
	for name, text := range map[string]string{
		"POST":                "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n" + body,
		"header like a line":  "POST / HTTP/1.1\r\n" + body + "\r\n\r\n" + body,
		"GET":                 "GET /" + body,
		"TLS":                 "\x16\x03\x01\x00\xa5\x01\x00\n" + body,
		"empty line first":    "\n" + body,
		"line that is a text": "\"x\"\n" + body,
	} {
		c := dialRPC(t, d.RPC)
		c.write(text)
		got, closed := c.settled()
		failure, _ := got[0]["error"].(map[string]any)
		if code := failure["code"]; !closed || len(got) != 1 || got[0]["id"] != nil || code != float64(-32700) && code != float64(-32600) {
			t.Errorf("%s: got %v, closed: %v", name, got, closed)
		}
	}
	if got := ask[[]rpcEntry](d, "chat.history"); len(got) != 0 {
		t.Errorf("sent: %+v", got)
	}
}
