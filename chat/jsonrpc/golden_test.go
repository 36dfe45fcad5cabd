package jsonrpc

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
)

// recorded is what a reference daemon answered on a fresh connection.
type recorded struct {
	Daemon     string          `json:"daemon"`
	Case       string          `json:"case"`
	Sent       json.RawMessage `json:"sent"`
	Received   string          `json:"received"`
	Connection string          `json:"connection"`
}

func (r recorded) closed() bool { return r.Connection == "closed by the daemon" }

func loadRecorded(t *testing.T) []recorded {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rpc.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// sent gives the bytes of the request; long ones are only described.
func (r recorded) sent(t *testing.T) string {
	t.Helper()
	var text string
	if json.Unmarshal(r.Sent, &text) == nil {
		if raw, ok := strings.CutPrefix(text, "hex:"); ok {
			decoded, err := hex.DecodeString(raw)
			if err != nil {
				t.Fatal(err)
			}
			return string(decoded)
		}
		return text
	}
	var long map[string]any
	if err := json.Unmarshal(r.Sent, &long); err != nil {
		t.Fatal(err)
	}
	if depth, ok := long["ping with params of nested arrays, depth"].(float64); ok {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"ping","params":%s%s}`+"\n",
			strings.Repeat("[", int(depth)), strings.Repeat("]", int(depth)))
	}
	padded, ok := long["ping padded with a string parameter to bytes"].(float64)
	if !ok {
		t.Fatalf("cannot tell what was sent: %s", r.Sent)
	}
	frame := call(1, "ping", "")
	return strings.Replace(frame, `""`, `"`+strings.Repeat("x", int(padded)-len(frame)+len("\n"))+`"`, 1)
}

// Where the reference drops the connection without a word, or never answers, this server answers
// with an error.
var better = map[string]int{
	"params null": CodeInvalidRequest, "params a string": CodeInvalidRequest, "params a number": CodeInvalidRequest,
	"id 2^64": CodeInvalidRequest, "id 1e400": CodeInvalidRequest, "id in a string, hexadecimal": CodeInvalidRequest,
	"id in a string with a space": CodeInvalidRequest, "id a word": CodeInvalidRequest, "id an empty string": CodeInvalidRequest,
	"id in a string: inf": CodeInvalidRequest, "id in a string: NaN": CodeInvalidRequest, "id 1.5": CodeInvalidRequest,
	"id null": CodeInvalidRequest, "id true": CodeInvalidRequest, "id an array": CodeInvalidRequest,
	"no id (a notification)": CodeInvalidRequest, "no id": CodeInvalidRequest, "no jsonrpc": CodeInvalidRequest,
	"jsonrpc 1.0": CodeInvalidRequest, "jsonrpc a number": CodeInvalidRequest, "no method": CodeInvalidRequest,
	"method a number": CodeInvalidRequest, "batch": CodeInvalidRequest, "empty batch": CodeInvalidRequest, "a string": CodeInvalidRequest,
	"a number": CodeInvalidRequest, "null": CodeInvalidRequest, "true": CodeInvalidRequest, "empty object": CodeInvalidRequest,
	"line of 16 MiB": CodeInvalidRequest, "line of 16 MiB + 1": CodeInvalidRequest,

	"send, lone surrogate": CodeParse, "empty line": CodeParse, "spaces only": CodeParse, "not JSON": CodeParse,
	"JSON cut short": CodeParse, "trailing comma": CodeParse, "text after the object": CodeParse, "two objects on one line": CodeParse,
	"single quotes": CodeParse, "a comment": CodeParse, "byte order mark": CodeParse, "leading zeros": CodeParse,
	"raw control character in a string": CodeParse, "NaN": CodeParse, "invalid UTF-8": CodeParse,
	"an HTTP request on a line listener: dropped at its first line": CodeParse,
	"params nested 10000 deep":                                      CodeParse, "params nested 100000 deep": CodeParse,
	"good, bad, good in one write": CodeParse, "an empty line between two requests": CodeParse,

	"send without params": CodeInvalidParams, "send, params missing": CodeInvalidParams, "send, a number": CodeInvalidParams,
	"send, null": CodeInvalidParams, "send, params an object": CodeInvalidParams, "dnet.switch, params an object": CodeInvalidParams,
	"dnet.subscribe_events, params an object": CodeInvalidParams,
}

// replies gives the lines that this server answers.
func (r recorded) replies() []string {
	var want []string
	if r.Received != "" {
		want = strings.Split(strings.TrimSuffix(r.Received, "\r\n"), "\r\n")
	}
	switch code := better[r.Case]; code {
	case 0:
	case CodeInvalidParams:
		want = append(want, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid params"}}`)
	case CodeParse:
		want = append(want, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`)
	case CodeInvalidRequest:
		want = append(want, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}`)
	}
	if strings.HasPrefix(r.Case, "spawns") || r.Daemon == "lilith" && r.Case == "id in a string" {
		for i := range want { // what it knows of its network is another package's
			head, _, _ := strings.Cut(want[i], `{"spawns"`)
			id := strings.TrimLeft(strings.TrimPrefix(head[strings.Index(head+`"id":1`, `"id":`):], `"id":`), " ")
			want[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%c,"result":{"spawns":[]}}`, (id + "1")[0])
		}
	}
	return want
}

// Every recorded request over lines: the same answer, or a better one, and the same end of the
// connection. In virtual time, so that "no answer" means none in a day.
func TestRecordedLines(t *testing.T) {
	for _, r := range loadRecorded(t) {
		if strings.Contains(r.Daemon, "http+tcp") || strings.HasSuffix(r.Case, "end of stream") {
			continue
		}
		t.Run(r.Daemon+"/"+r.Case, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { replay(t, r) })
		})
	}
}

func replay(t *testing.T, r recorded) {
	cfg := Config{}
	daemon := &fakeDaemon{}
	methods := daemon.methods()
	switch {
	case strings.Contains(r.Daemon, "disabled"):
		cfg.Disabled = []string{"p2p.get_info", "ping"}
	case r.Daemon == "lilith":
		cfg.Disabled = []string{"p2p.get_info", "dnet.switch"}
	default:
		cfg.Disabled = []string{"spawns"}
	}
	client, server := net.Pipe()
	var received strings.Builder
	var tasks sync.WaitGroup
	tasks.Go(func() { newServer(t, cfg, methods).serveConn(t.Context(), server) })
	tasks.Go(func() { _, _ = io.Copy(&received, client) })

	sent := r.sent(t)
	chunk := len(sent)
	if r.Case == "one byte per write" {
		chunk = 1
	}
	for ; sent != ""; sent = sent[chunk:] {
		write(t, client, sent[:chunk])
	}
	synctest.Wait()
	if !r.closed() {
		time.Sleep(24 * time.Hour)
	}
	got := lines(t, received.String())
	want := r.replies()
	if len(got) != len(want) {
		t.Fatalf("got %d lines %q, want %d", len(got), received.String(), len(want))
	}
	for i := range want {
		wantJSON(t, got[i], want[i])
	}
	ends := make(chan struct{})
	go func() { tasks.Wait(); close(ends) }()
	time.Sleep(2 * lingerTime)
	synctest.Wait()
	select {
	case <-ends:
		if !r.closed() {
			t.Error("the connection was closed")
		}
	default:
		if r.closed() {
			t.Error("the connection stays open")
		}
	}
	_ = client.Close()
	<-ends
}

// What was sent before the client closed its sending side is run and answered.
func TestRecordedEndOfStream(t *testing.T) {
	for _, r := range loadRecorded(t) {
		if !strings.HasSuffix(r.Case, "end of stream") {
			continue
		}
		t.Run(r.Case, func(t *testing.T) {
			s := startServer(t, Config{}, new(fakeDaemon).methods())
			nc := connect(t, s)
			write(t, nc, r.sent(t))
			if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			received, err := io.ReadAll(nc)
			if err != nil {
				t.Fatal(err)
			}
			wantJSON(t, string(received), r.Received)
		})
	}
}

// netHTTP stands for an answer that is no JSON-RPC: what came was no HTTP request.
const netHTTP = 1

// What this server answers over HTTP where the reference drops the connection or does worse. Code 0
// is a result.
var betterHTTP = map[string]struct{ status, code int }{
	"GET with a body":                   {405, CodeInvalidRequest},
	"PUT":                               {405, CodeInvalidRequest},
	"no Content-Length":                 {400, CodeParse},
	"Content-Length 0":                  {400, netHTTP}, // no Host either: net/http answers
	"Content-Length not a number":       {400, netHTTP},
	"Content-Length above 16 MiB":       {400, netHTTP},
	"chunked":                           {200, 0},
	"foreign Origin and Host: accepted": {403, CodeInvalidRequest},
	"nine headers":                      {200, 0},
	"not JSON":                          {400, CodeParse},
	"not HTTP: a JSON line":             {400, netHTTP},
	"LF line ends only":                 {200, 0},
	"batch":                             {400, CodeInvalidRequest},
	"OPTIONS (preflight)":               {403, CodeInvalidRequest},
}

// Every recorded request over HTTP.
func TestRecordedHTTP(t *testing.T) {
	for _, r := range loadRecorded(t) {
		if !strings.Contains(r.Daemon, "http+tcp") {
			continue
		}
		t.Run(r.Case, func(t *testing.T) {
			daemon := new(fakeDaemon)
			s := startServer(t, Config{Listen: addr.MustParse("http+tcp://127.0.0.1:0")}, daemon.methods())
			nc := connect(t, s)
			write(t, nc, r.sent(t))
			in := bufio.NewReader(nc)
			want, isBetter := betterHTTP[r.Case]
			if !isBetter {
				replayHTTP(t, in, r.Received)
				return
			}
			status, body := readResponse(t, in)
			if status != want.status {
				t.Errorf("status %d, want %d: %s", status, want.status, body)
			}
			if want.code != netHTTP {
				a, err := parseAnswer([]byte(body))
				if err != nil {
					t.Fatalf("%q: %v", body, err)
				}
				if code(a) != want.code {
					t.Errorf("got %s, want code %d", body, want.code)
				}
			}
			if ran := daemon.calls.Load() > 0; ran != (want.code == 0) {
				t.Errorf("something was run: %v", ran)
			}
		})
	}
}

// replayHTTP compares with recorded responses, of which there may be two.
func replayHTTP(t *testing.T, in *bufio.Reader, recorded string) {
	t.Helper()
	want := bufio.NewReader(strings.NewReader(recorded))
	for {
		if _, err := want.Peek(1); err != nil {
			return
		}
		wantStatus, wantBody := readResponse(t, want)
		status, body := readResponse(t, in)
		if status != wantStatus {
			t.Errorf("status %d, want %d", status, wantStatus)
		}
		wantJSON(t, body, wantBody)
	}
}

func readResponse(t *testing.T, in *bufio.Reader) (int, string) {
	t.Helper()
	response, err := http.ReadResponse(in, nil)
	for err == nil && response.StatusCode == http.StatusContinue {
		response, err = http.ReadResponse(in, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// code is the code of the error in a, or 0.
func code(a answer) int {
	if a.Error == nil {
		return 0
	}
	return a.Error.Code
}
