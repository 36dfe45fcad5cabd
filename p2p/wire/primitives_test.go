package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// codecs reads a value of each type and returns it in the form of the vectors, and the bytes it is written as.
var codecs = map[string]func(*wire.Decoder) (any, []byte){
	"u8":     func(d *wire.Decoder) (any, []byte) { v := d.Uint8(); return v, []byte{v} },
	"u16":    func(d *wire.Decoder) (any, []byte) { v := d.Uint16(); return v, wire.AppendUint16(nil, v) },
	"u32":    func(d *wire.Decoder) (any, []byte) { v := d.Uint32(); return v, wire.AppendUint32(nil, v) },
	"u64":    func(d *wire.Decoder) (any, []byte) { v := d.Uint64(); return v, wire.AppendUint64(nil, v) },
	"bool":   func(d *wire.Decoder) (any, []byte) { v := d.Bool(); return v, wire.AppendBool(nil, v) },
	"varint": func(d *wire.Decoder) (any, []byte) { v := d.VarInt(); return v, wire.AppendVarInt(nil, v) },
	"string": func(d *wire.Decoder) (any, []byte) { v := d.String(); return v, wire.AppendString(nil, v) },
	"url":    func(d *wire.Decoder) (any, []byte) { v := d.Addr(); return v.String(), wire.AppendAddr(nil, v) },
	"semver": func(d *wire.Decoder) (any, []byte) {
		v := d.Semver()
		return map[string]any{"major": v.Major, "minor": v.Minor, "patch": v.Patch, "pre": v.Pre, "build": v.Build}, wire.AppendSemver(nil, v)
	},
	"vec_u8": func(d *wire.Decoder) (any, []byte) {
		v := d.Bytes()
		return list(v, func(b byte) any { return b }), wire.AppendBytes(nil, v)
	},
	"vec_string": func(d *wire.Decoder) (any, []byte) {
		var v []string
		for range d.Count(1) {
			v = append(v, d.String())
		}
		again := wire.AppendVarInt(nil, uint64(len(v)))
		for _, s := range v {
			again = wire.AppendString(again, s)
		}
		return list(v, func(s string) any { return s }), again
	},
	"vec_u16_253_items": func(d *wire.Decoder) (any, []byte) {
		var again []byte
		var v []string
		for range d.Count(2) {
			n := d.Uint16()
			v = append(v, strconv.Itoa(int(n)))
			again = wire.AppendUint16(again, n)
		}
		return v[0] + ", " + v[1] + ", … " + v[len(v)-1], append(wire.AppendVarInt(nil, uint64(len(v))), again...)
	},
	"option_u16": func(d *wire.Decoder) (any, []byte) {
		if !d.Bool() {
			return nil, wire.AppendBool(nil, false)
		}
		v := d.Uint16()
		return v, wire.AppendUint16(wire.AppendBool(nil, true), v)
	},
	"option_string": func(d *wire.Decoder) (any, []byte) {
		if !d.Bool() {
			return nil, wire.AppendBool(nil, false)
		}
		v := d.String()
		return v, wire.AppendString(wire.AppendBool(nil, true), v)
	},
	"option_url": func(d *wire.Decoder) (any, []byte) {
		if !d.Bool() {
			return nil, wire.AppendBool(nil, false)
		}
		v := d.Addr()
		return v.String(), wire.AppendAddr(wire.AppendBool(nil, true), v)
	},
	"tuple_string_u32": func(d *wire.Decoder) (any, []byte) {
		s, n := d.String(), d.Uint32()
		return []any{s, n}, wire.AppendUint32(wire.AppendString(nil, s), n)
	},
	"tuple_url_u64": func(d *wire.Decoder) (any, []byte) {
		a, n := d.Addr(), d.Uint64()
		return []any{a.String(), n}, wire.AppendUint64(wire.AppendAddr(nil, a), n)
	},
	"array_u8_4": func(d *wire.Decoder) (any, []byte) {
		v := d.Fixed(4)
		return list(v, func(b byte) any { return b }), bytes.Clone(v)
	},
}

func list[T any](items []T, item func(T) any) []any {
	v := make([]any, len(items))
	for i := range items {
		v[i] = item(items[i])
	}
	return v
}

// plain brings a value into one form, in which numbers are texts, as many of the vectors write them.
func plain(tb testing.TB, v any) any {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		tb.Fatal(err)
	}
	return untyped(out)
}

func untyped(v any) any {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case []any:
		return list(v, untyped)
	case map[string]any:
		for k := range v {
			v[k] = untyped(v[k])
		}
	}
	return v
}

type primitiveVector struct {
	Value      any             `json:"value"`
	Repeat     []any           `json:"repeat"`
	Fields     json.RawMessage `json:"fields"`
	Text       string          `json:"text"`
	Input      string          `json:"input"`
	Hex        string          `json:"hex"`
	HexPrefix  string          `json:"hex_prefix"`
	EncodedLen int             `json:"encoded_len"`
}

// primitiveVectors returns the vectors of each type.
func primitiveVectors(tb testing.TB) map[string][]primitiveVector {
	tb.Helper()
	vectors := map[string][]primitiveVector{}
	for kind, b := range load[struct{ Primitives map[string]json.RawMessage }](tb, "vectors.json").Primitives {
		if b[0] == '{' {
			b = append(append([]byte{'['}, b...), ']')
		}
		var list []primitiveVector
		if err := json.Unmarshal(b, &list); err != nil {
			tb.Fatal(err)
		}
		vectors[kind] = list
	}
	return vectors
}

func TestPrimitivesAreWrittenAndReadAsTheReferenceDoes(t *testing.T) {
	count := 0
	for kind, vectors := range primitiveVectors(t) {
		t.Run(kind, func(t *testing.T) {
			codec := codecs[strings.TrimSuffix(strings.TrimSuffix(kind, "_encode"), "_decode")]
			for _, v := range vectors {
				count++
				want, data := v.Value, unhex(t, v.Hex)
				if v.Fields != nil {
					want = v.Fields
				}
				if v.Repeat != nil {
					s := strings.Repeat(v.Repeat[0].(string), int(v.Repeat[1].(float64)))
					want = s
					if v.Hex == "" {
						prefix := unhex(t, v.HexPrefix)
						data = append(prefix, strings.Repeat("x", v.EncodedLen-len(prefix))...)
					}
				}
				d := wire.NewDecoder(kind, data)
				got, again := codec(d)
				if err := d.Finish(); err != nil {
					t.Fatalf("%s: %v", v.Hex, err)
				}
				if !reflect.DeepEqual(plain(t, got), plain(t, want)) {
					t.Errorf("%s decodes to %v, want %v", v.Hex, got, want)
				}
				if !bytes.Equal(again, data) && kind != "bool_decode" {
					t.Errorf("%v is written as %x, want %x", want, again, data)
				}
			}
		})
	}
	if count < 100 {
		t.Errorf("only %d vectors found", count)
	}
}

func TestVersionTextsOfTheReferenceParse(t *testing.T) {
	for _, v := range primitiveVectors(t)["semver"] {
		d := wire.NewDecoder("", unhex(t, v.Hex))
		want := d.Semver()
		if got, err := wire.ParseSemver(v.Text); err != nil || got != want {
			t.Errorf("%s parses to %+v, %v, want %+v", v.Text, got, err, want)
		}
		if want.String() != v.Text {
			t.Errorf("text %s, want %s", want, v.Text)
		}
	}
}

func TestAddressesAreSentNormalised(t *testing.T) {
	for _, v := range primitiveVectors(t)["url"] {
		if got := hex.EncodeToString(wire.AppendAddr(nil, addr.MustParse(v.Input))); got != v.Hex {
			t.Errorf("%s is sent as %s, want %s", v.Input, got, v.Hex)
		}
	}
}

func TestPrimitivesAreRefusedAsTheReferenceDoes(t *testing.T) {
	vectors := load[struct {
		Vectors []struct {
			Type, Hex, Why, Result string
			Value                  any
			Consumed               int
			LeftOver               int `json:"left_over"`
		} `json:"primitive_decode"`
	}](t, "vectors.json").Vectors
	if len(vectors) != 100 {
		t.Errorf("%d vectors found", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Type+" "+v.Why, func(t *testing.T) {
			data := unhex(t, v.Hex)
			d := wire.NewDecoder(v.Type, data)
			got, _ := codecs[v.Type](d)
			left := d.Len()
			err := d.Finish()
			if v.Result == "err" {
				wantFault(t, err, wire.BadPayload)
				return
			}
			if !reflect.DeepEqual(plain(t, got), plain(t, v.Value)) {
				t.Errorf("value %v, want %v", got, v.Value)
			}
			if len(data)-left != v.Consumed || left != v.LeftOver {
				t.Errorf("consumed %d and left %d, want %d and %d", len(data)-left, left, v.Consumed, v.LeftOver)
			}
			// The reference leaves it to its callers whether left-over bytes matter. For Finish they always do.
			if v.LeftOver > 0 {
				wantFault(t, err, wire.BadPayload)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
