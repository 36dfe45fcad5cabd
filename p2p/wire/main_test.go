package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"dchat/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is a message of another package, as this package's users write them: one string, and no limit set by the protocol.
type text struct{ Msg string }

func (text) Spec() wire.Spec                 { return wire.Spec{Command: "DchatMsg"} }
func (m text) AppendPayload(b []byte) []byte { return wire.AppendString(b, m.Msg) }
func (m *text) Decode(payload []byte) error {
	d := wire.NewDecoder("DchatMsg", payload)
	m.Msg = d.String()
	return d.Finish()
}

// raw is a message of any command and payload.
type raw struct {
	command string
	payload []byte
}

func (m raw) Spec() wire.Spec               { return wire.Spec{Command: m.command} }
func (m raw) AppendPayload(b []byte) []byte { return append(b, m.payload...) }

// messages makes an empty message of each command.
var messages = map[string]func() wire.Decodable{
	wire.CommandVersion: func() wire.Decodable { return new(wire.Version) },
	wire.CommandVerack:  func() wire.Decodable { return new(wire.Verack) },
	wire.CommandPing:    func() wire.Decodable { return new(wire.Ping) },
	wire.CommandPong:    func() wire.Decodable { return new(wire.Pong) },
	wire.CommandGetAddr: func() wire.Decodable { return new(wire.GetAddr) },
	wire.CommandAddr:    func() wire.Decodable { return new(wire.Addrs) },
	"DchatMsg":          func() wire.Decodable { return new(text) },
}

// plenty is a limit for payloads that no test reaches unless it says so.
const plenty = 16 << 20

func mustFrame(tb testing.TB, m wire.Message) []byte {
	tb.Helper()
	b, err := wire.AppendFrame(nil, wire.DefaultMagic, m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// frame is what a reader returned, as copies.
type frame struct {
	Command string
	Payload string
}

// readAll reads frames until the stream ends between two of them or an error comes.
func readAll(r io.Reader, limit int) ([]frame, error) {
	fr := wire.NewFrameReader(r, wire.DefaultMagic)
	defer fr.Release()
	var frames []frame
	for {
		h, err := fr.Next()
		if err == io.EOF { //nolint:errorlint // io.EOF itself is promised
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		payload, err := fr.Payload(limit)
		if err != nil {
			return frames, err
		}
		frames = append(frames, frame{string(h.Command), string(payload)})
	}
}

// wantFault fails unless err says that the peer is at fault in this way.
func wantFault(tb testing.TB, err error, kind wire.Kind) {
	tb.Helper()
	var fault *wire.Error
	if !errors.As(err, &fault) {
		tb.Fatalf("error %v, want the peer's fault: %v", err, kind)
	}
	if fault.Kind != kind {
		tb.Fatalf("error %v, want kind %v", err, kind)
	}
}

// wantFailure fails unless err says that the connection failed, with the cause given.
func wantFailure(tb testing.TB, err, cause error) {
	tb.Helper()
	var fault *wire.Error
	if errors.As(err, &fault) {
		tb.Fatalf("the peer is blamed for a failed connection: %v", err)
	}
	if !errors.Is(err, cause) {
		tb.Fatalf("error %v, want %v", err, cause)
	}
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func load[T any](tb testing.TB, file string) T {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		tb.Fatal(fmt.Errorf("%s: %w", file, err))
	}
	return v
}
