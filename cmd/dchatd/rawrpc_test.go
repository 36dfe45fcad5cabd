package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
	"dchat/p2p/addr"
)

// rawRPC is a connection to the RPC that sends and receives lines as they are.
type rawRPC struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dialRPC connects to an RPC address that is being listened on.
func dialRPC(t *testing.T, at addr.Addr) *rawRPC {
	t.Helper()
	network, target := "tcp", at.HostPort()
	if path, ok := at.FilePath(); ok {
		network, target = "unix", path
	}
	conn, err := net.DialTimeout(network, target, proc.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * proc.Patience)); err != nil {
		t.Fatal(err)
	}
	return &rawRPC{t, conn, bufio.NewReader(conn)}
}

func (r *rawRPC) write(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.t.Fatal(err)
	}
}

// line returns the next line that came, or nil at the end of the stream.
func (r *rawRPC) line() map[string]any {
	r.t.Helper()
	object, err := r.next()
	if err != nil {
		r.t.Fatal(err)
	}
	return object
}

// next is line for any goroutine.
func (r *rawRPC) next() (object map[string]any, err error) {
	line, err := r.in.ReadString('\n')
	if errors.Is(err, io.EOF) && line == "" {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(line), &object)
	}
	if err != nil {
		return nil, fmt.Errorf("%.100q: %w", line, err)
	}
	return object, nil
}

// settled returns the lines that came for what has been sent, up to the end of the stream or the
// answer to a last request.
func (r *rawRPC) settled() (lines []map[string]any, closed bool) {
	r.t.Helper()
	const last = 987654321
	if _, err := io.WriteString(r.conn, request(last, "no.such.method", "[]")); err != nil {
		r.t.Logf("the connection was closed before all was sent: %v", err)
	}
	for {
		line := r.line()
		if line == nil {
			return lines, true
		}
		if line["id"] == float64(last) {
			return lines, false
		}
		lines = append(lines, line)
	}
}

func request(id int, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", id, method, params)
}
