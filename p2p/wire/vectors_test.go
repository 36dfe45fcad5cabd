package wire_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// fields is a message as the vectors write it.
type fields struct {
	NodeID          string      `json:"node_id"`
	AppName         string      `json:"app_name"`
	Version         jsonSemver  `json:"version"`
	AppVersion      jsonSemver  `json:"app_version"`
	Timestamp       uint64      `json:"timestamp,string"`
	ConnectRecvAddr string      `json:"connect_recv_addr"`
	ResolveRecvAddr string      `json:"resolve_recv_addr"`
	ExtSendAddr     []string    `json:"ext_send_addr"`
	Features        [][2]any    `json:"features"`
	Nonce           uint16      `json:"nonce"`
	Max             uint32      `json:"max"`
	Transports      []string    `json:"transports"`
	Addrs           [][2]string `json:"addrs"`
	Msg             string      `json:"msg"`
}

type jsonSemver struct {
	Major, Minor, Patch uint64 `json:",string"`
	Pre, Build          string
}

// message turns the vectors' form into a message.
func (f fields) message(tb testing.TB, command string) wire.Decodable {
	tb.Helper()
	switch command {
	case wire.CommandVersion:
		m := &wire.Version{
			NodeID: f.NodeID, AppName: f.AppName, AppVersion: wire.Semver(f.Version), Timestamp: f.Timestamp,
			ConnectRecvAddr: addr.MustParse(f.ConnectRecvAddr),
		}
		if f.ResolveRecvAddr != "" {
			m.ResolveRecvAddr = addr.MustParse(f.ResolveRecvAddr)
		}
		for _, a := range f.ExtSendAddr {
			m.ExtSendAddr = append(m.ExtSendAddr, addr.MustParse(a))
		}
		for _, pair := range f.Features {
			m.Features = append(m.Features, wire.Feature{Name: pair[0].(string), Version: uint32(pair[1].(float64))})
		}
		return m
	case wire.CommandVerack:
		return &wire.Verack{AppVersion: wire.Semver(f.AppVersion), AppName: f.AppName}
	case wire.CommandPing:
		return &wire.Ping{Nonce: f.Nonce}
	case wire.CommandPong:
		return &wire.Pong{Nonce: f.Nonce}
	case wire.CommandGetAddr:
		return &wire.GetAddr{Max: f.Max, Transports: append([]string(nil), f.Transports...)}
	case wire.CommandAddr:
		m := &wire.Addrs{}
		for _, pair := range f.Addrs {
			e := wire.Entry{Addr: addr.MustParse(pair[0])}
			if _, err := fmt.Sscan(pair[1], &e.LastSeen); err != nil {
				tb.Fatal(err)
			}
			m.Entries = append(m.Entries, e)
		}
		return m
	case "DchatMsg":
		return &text{Msg: f.Msg}
	default:
		tb.Fatalf("no message of command %q", command)
		return nil
	}
}

type messageVector struct {
	Name, Command string
	Fields        json.RawMessage
	Recipe        struct {
		NodeID struct{ Repeat [2]any } `json:"node_id"`
		Msg    struct{ Repeat [2]any }
		Addrs  struct {
			Count int `json:"count"`
		}
	}
	PayloadLen    int    `json:"payload_len"`
	Payload       string `json:"payload"`
	PayloadSHA256 string `json:"payload_sha256"`
	FrameLen      int    `json:"frame_len"`
	Frame         string `json:"frame"`
	FrameSHA256   string `json:"frame_sha256"`
	WithinLimit   bool   `json:"within_limit"`
}

// message returns the message that the vector describes; recipes are changes to the minimal one.
func (v *messageVector) message(tb testing.TB, minimal json.RawMessage) wire.Decodable {
	tb.Helper()
	var f fields
	source := v.Fields
	if source == nil && v.Command == wire.CommandVersion {
		source = minimal
	}
	if source != nil {
		if err := json.Unmarshal(source, &f); err != nil {
			tb.Fatal(err)
		}
	}
	if v.Fields == nil {
		f.NodeID, f.Msg = repeated(v.Recipe.NodeID.Repeat), repeated(v.Recipe.Msg.Repeat)
		for i := range v.Recipe.Addrs.Count {
			a := fmt.Sprintf("tcp://10.%d.%d.%d:%d/", i/65536, i/256%256, i%256, 10000+i)
			f.Addrs = append(f.Addrs, [2]string{a, fmt.Sprint(i)})
		}
	}
	return f.message(tb, v.Command)
}

func repeated(r [2]any) string {
	if r[0] == nil {
		return ""
	}
	return strings.Repeat(r[0].(string), int(r[1].(float64)))
}

// check compares bytes with the vector's, which are given in full or by length and digest.
func check(t *testing.T, what string, got []byte, full string, size int, digest string) {
	t.Helper()
	if full != "" {
		if hex.EncodeToString(got) != full {
			t.Errorf("%s is\n%x, want\n%s", what, got, full)
		}
		return
	}
	sum := sha256.Sum256(got)
	if len(got) != size || hex.EncodeToString(sum[:]) != digest {
		t.Errorf("%s has %d bytes and digest %x, want %d and %s", what, len(got), sum, size, digest)
	}
}

func TestMessagesAreWrittenAndReadAsTheReferenceDoes(t *testing.T) {
	vectors := load[struct{ Messages []messageVector }](t, "vectors.json").Messages
	if len(vectors) != 55 {
		t.Errorf("%d vectors found", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Command+" "+v.Name, func(t *testing.T) {
			m := v.message(t, vectors[0].Fields)
			payload := m.AppendPayload(nil)
			check(t, "payload", payload, v.Payload, v.PayloadLen, v.PayloadSHA256)

			decoded := messages[v.Command]()
			if err := decoded.Decode(payload); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(decoded, m) {
				t.Errorf("decoded\n%+v, want\n%+v", decoded, m)
			}

			limit := m.Spec().MaxPayload
			frame, err := wire.AppendFrame(nil, wire.DefaultMagic, m)
			if !v.WithinLimit {
				// The reference sends it all the same, and its own kind bans it for that.
				if !errors.Is(err, wire.ErrTooLarge) || len(frame) != 0 {
					t.Fatalf("%d bytes and error %v for a message over its limit", len(frame), err)
				}
				frame = mustFrame(t, raw{v.Command, payload})
				check(t, "frame", frame, v.Frame, v.FrameLen, v.FrameSHA256)
				_, err = readAll(bytes.NewReader(frame), limit)
				wantFault(t, err, wire.BadPayload)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			check(t, "frame", frame, v.Frame, v.FrameLen, v.FrameSHA256)
			if limit == 0 {
				limit = plenty
			}
			frames, err := readAll(bytes.NewReader(frame), limit)
			if len(frames) != 1 || frames[0].Command != v.Command || frames[0].Payload != string(payload) {
				t.Errorf("read %d frames: %v", len(frames), err)
			}
		})
	}
}

func TestPayloadsAreRefusedAsTheReferenceDoesAndLeftOverBytesToo(t *testing.T) {
	vectors := load[struct {
		Vectors []struct {
			Command, Why, Payload, Result, Reencoded string
			Fields                                   fields
			Consumed                                 int
			LeftOver                                 int  `json:"left_over"`
			OverLimit                                bool `json:"over_limit"`
		} `json:"message_decode"`
	}](t, "vectors.json").Vectors
	if len(vectors) != 61 {
		t.Errorf("%d vectors found", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Command+" "+v.Why, func(t *testing.T) {
			payload := unhex(t, v.Payload)
			m := messages[v.Command]()
			if limit := m.Spec().MaxPayload; limit > 0 && (len(payload) > limit) != v.OverLimit {
				t.Errorf("%d bytes are over the limit %d: %v", len(payload), limit, v.OverLimit)
			}
			err := m.Decode(payload)
			if v.Result == "err" {
				wantFault(t, err, wire.BadPayload)
				return
			}
			if v.LeftOver > 0 {
				// The reference takes the message and reads what is left over as the next frame. We refuse the whole.
				wantFault(t, err, wire.BadPayload)
				payload = payload[:v.Consumed]
				err = m.Decode(payload)
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := v.Fields.message(t, v.Command); !reflect.DeepEqual(m, want) {
				t.Errorf("decoded\n%+v, want\n%+v", m, want)
			}
			again := hex.EncodeToString(m.AppendPayload(nil))
			if v.Reencoded == "" {
				v.Reencoded = hex.EncodeToString(payload)
			}
			if again != v.Reencoded {
				t.Errorf("written again as\n%s, want\n%s", again, v.Reencoded)
			}
		})
	}
}

func TestFramesRecordedFromTheReferenceAreReadAndWrittenTheSame(t *testing.T) {
	type recorded struct {
		Command, Frame string
		Fields         *fields
		LeftOver       int `json:"left_over"`
	}
	vectors := load[[]recorded](t, "recorded.json")
	if len(vectors) != 234 {
		t.Errorf("%d frames found", len(vectors))
	}
	for _, v := range vectors {
		data := unhex(t, v.Frame)
		magic := [4]byte(data)
		fr := wire.NewFrameReader(bytes.NewReader(data), magic)
		h, err := fr.Next()
		if err != nil || string(h.Command) != v.Command {
			t.Fatalf("%s: command %q, error %v", v.Frame, h.Command, err)
		}
		payload, err := fr.Payload(plenty)
		if err != nil {
			t.Fatalf("%s: %v", v.Frame, err)
		}
		if v.Fields == nil {
			continue
		}
		m := messages[v.Command]()
		err = m.Decode(payload)
		if v.LeftOver > 0 {
			wantFault(t, err, wire.BadPayload)
			continue
		}
		if want := v.Fields.message(t, v.Command); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%s decodes to\n%+v, %v, want\n%+v", v.Frame, m, err, want)
		}
		if again, err := wire.AppendFrame(nil, magic, m); err != nil || !bytes.Equal(again, data) {
			t.Errorf("written as\n%x, %v, want\n%x", again, err, data)
		}
		fr.Release()
	}
}

func TestConstantsAreThoseOfTheReference(t *testing.T) {
	constants := load[struct {
		Constants struct {
			Magic      string `json:"magic_default"`
			MaxCommand int    `json:"max_command_length"`
			Total      int    `json:"metering_limit_core"`
			Messages   []struct {
				Command   string
				MaxBytes  int `json:"max_bytes"`
				Score     int `json:"metering_score"`
				Threshold int
				Step      time.Duration `json:"sleep_step_ms"`
				Expiry    time.Duration `json:"expiry_ns,string"`
			}
		}
	}](t, "vectors.json").Constants
	if got := hex.EncodeToString(wire.DefaultMagic[:]); got != constants.Magic {
		t.Errorf("magic %s, want %s", got, constants.Magic)
	}
	if wire.MaxCommand != constants.MaxCommand {
		t.Errorf("commands of %d bytes, want %d", wire.MaxCommand, constants.MaxCommand)
	}
	total := 0
	for _, c := range constants.Messages {
		want := wire.Spec{Command: c.Command, MaxPayload: c.MaxBytes, Metering: wire.Metering{
			Score: c.Score, Threshold: c.Threshold, Step: c.Step * time.Millisecond, Expiry: c.Expiry,
		}}
		if got := messages[c.Command]().Spec(); got != want {
			t.Errorf("spec %+v, want %+v", got, want)
		}
		total += messages[c.Command]().Spec().Metering.Threshold
	}
	if total != constants.Total {
		t.Errorf("thresholds add up to %d, want %d", total, constants.Total)
	}
}
