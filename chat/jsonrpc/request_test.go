package jsonrpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// J1: what is not one request is told apart as not JSON or not a request.
func TestJ1Refusals(t *testing.T) {
	request := func(id, method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%s,"params":%s}`, id, method, params)
	}
	for _, test := range []struct {
		name, line string
		want       int
	}{
		{"nothing", "", CodeParse},
		{"white space", " \t\r", CodeParse},
		{"a word", "ping", CodeParse},
		{"an open object", "{", CodeParse},
		{"an open string", `{"jsonrpc":"2.0`, CodeParse},
		{"an object closed twice", request("1", `"ping"`, "[]") + "}", CodeParse},
		{"byte order mark", "\ufeff" + request("1", `"ping"`, "[]"), CodeParse},
		{"non-breaking space around", "\u00a0" + request("1", `"ping"`, "[]"), CodeParse},
		{"infinity", request("Infinity", `"ping"`, "[]"), CodeParse},
		{"minus NaN", request("-NaN", `"ping"`, "[]"), CodeParse},
		{"a number with a plus", request("+1", `"ping"`, "[]"), CodeParse},
		{"a number that ends in a point", request("1.", `"ping"`, "[]"), CodeParse},
		{"a name without quotes", `{jsonrpc:"2.0"}`, CodeParse},
		{"a bad escape", request("1", `"p\x69ng"`, "[]"), CodeParse},
		{"a zero byte", request("1", "\"pi\x00ng\"", "[]"), CodeParse},
		{"an overlong UTF-8 form", request("1", "\"pi\xc0\xaeng\"", "[]"), CodeParse},
		{"a surrogate in UTF-8", request("1", "\"pi\xed\xa0\x80ng\"", "[]"), CodeParse},
		{"UTF-8 cut short", request("1", "\"ping\xe2\x82\"", "[]"), CodeParse},
		{"a high surrogate alone", request("1", `"ping"`, `["\ud800"]`), CodeParse},
		{"a low surrogate alone", request("1", `"ping"`, `["\udc00"]`), CodeParse},
		{"surrogates in the wrong order", request("1", `"ping"`, `["\udc00\ud800"]`), CodeParse},
		{"two high surrogates", request("1", `"ping"`, `["\ud800\ud800\udc00"]`), CodeParse},
		{"a pair with something between", request("1", `"ping"`, `["\ud800x\udc00"]`), CodeParse},
		{"a lone surrogate in a name nobody reads", `{"\ud800":1}`, CodeParse},
		{"id an object", request("{}", `"ping"`, "[]"), CodeInvalidRequest},
		{"id beyond all numbers", request("1e308", `"ping"`, "[]"), CodeInvalidRequest},
		{"id beyond 2^63, negative", request("-9223372036854777856", `"ping"`, "[]"), CodeInvalidRequest},
		{"id in a string, binary exponent", request(`"0x1p4"`, `"ping"`, "[]"), CodeInvalidRequest},
		{"id in a string, underscore", request(`"1_0"`, `"ping"`, "[]"), CodeInvalidRequest},
		{"id in a string, infinity", request(`"-Infinity"`, `"ping"`, "[]"), CodeInvalidRequest},
		{"id in a string, null", request(`"null"`, `"ping"`, "[]"), CodeInvalidRequest},
		{"the last of two ids is bad", `{"jsonrpc":"2.0","id":1,"id":null,"method":"ping"}`, CodeInvalidRequest},
		{"method null", request("1", "null", "[]"), CodeInvalidRequest},
		{"method an array", request("1", `["ping"]`, "[]"), CodeInvalidRequest},
		{"params true", request("1", `"ping"`, "true"), CodeInvalidRequest},
		{"names in another case", `{"JSONRPC":"2.0","ID":1,"Method":"ping"}`, CodeInvalidRequest},
		{"version with a space", `{"jsonrpc":"2.0 ","id":1,"method":"ping"}`, CodeInvalidRequest},
		{"a reply", `{"jsonrpc":"2.0","id":1,"result":"pong"}`, CodeInvalidRequest},
		{"an array of nothing but arrays", "[[[]]]", CodeInvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, refusal := parseRequest([]byte(test.line))
			if refusal == nil {
				t.Fatal("taken")
			}
			if refusal.Code != test.want {
				t.Errorf("got %v, want code %d", refusal, test.want)
			}
		})
	}
}

func TestRequestForms(t *testing.T) {
	for _, test := range []struct{ name, line, id, method, params string }{
		{"escapes in names and values", `{"jsonrpc":"2\u002e0","\u0069d":"\u0037","meth\u006fd":"p\u0069ng"}`, "7", "ping", "[]"},
		{"white space everywhere", " { \"jsonrpc\" : \"2.0\" ,\t\"id\" : 1 , \"method\" : \"m\" , \"params\" : [ 1 , { } ] } \r", "1", "m", "[ 1 , { } ]"},
		{"members that look like others inside a value", `{"x":{"id":5,"method":"no"},"jsonrpc":"2.0","id":1,"y":["\"id\":6}"],"method":"m"}`, "1", "m", "[]"},
		{"the last of each counts", `{"params":[1],"params":{"a":2},"id":1,"id":2,"method":"a","method":"b","jsonrpc":"1","jsonrpc":"2.0"}`, "2", "b", `{"a":2}`},
		{"a surrogate pair", `{"jsonrpc":"2.0","id":1,"method":"\ud83e\udd80","params":["\ud83e\udd80\ud83e\udd80"]}`, "1", "🦀", `["\ud83e\udd80\ud83e\udd80"]`},
		{"a backslash before a u", `{"jsonrpc":"2.0","id":1,"method":"\\ud800"}`, "1", `\ud800`, "[]"},
		{"minus zero", `{"jsonrpc":"2.0","id":-0.0,"method":""}`, "0", "", "[]"},
		{"a half that an exponent makes whole", `{"jsonrpc":"2.0","id":1.5e1,"method":"m"}`, "15", "m", "[]"},
		{"the largest exact id", `{"jsonrpc":"2.0","id":-9007199254740992,"method":"m"}`, "-9007199254740992", "m", "[]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, refusal := parseRequest([]byte(test.line))
			if refusal != nil {
				t.Fatal(refusal)
			}
			got := []string{string(req.id), req.method, string(req.params)}
			if want := []string{test.id, test.method, test.params}; strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestDepthLimit(t *testing.T) {
	nested := func(depth int) []byte { // the request itself is the first level
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"m","params":%s%s}`,
			strings.Repeat("[", depth-1), strings.Repeat("]", depth-1))
	}
	if _, refusal := parseRequest(nested(MaxDepth)); refusal != nil {
		t.Errorf("at the limit: %v", refusal)
	}
	if _, refusal := parseRequest(nested(MaxDepth + 1)); refusal == nil || refusal.Code != CodeParse {
		t.Errorf("beyond the limit: %v", refusal)
	}
}

// J2: what is deep or has many parts costs no memory beyond the line.
func TestJ2ParsingAllocatesLittle(t *testing.T) {
	many := func(part string) string { return strings.TrimSuffix(strings.Repeat(part+",", 1_000_000), ",") }
	for name, line := range map[string]string{
		"100,000 levels":     strings.Repeat("[", 100_000),
		"1,000,000 elements": `{"jsonrpc":"2.0","id":1,"method":"m","params":[` + many("1") + `]}`,
		"1,000,000 members":  `{"jsonrpc":"2.0","id":1,"method":"m",` + many(`"a":1`) + `}`,
		"1,000,000 escapes":  `{"jsonrpc":"2.0","id":1,"method":"m","params":["` + strings.Repeat(`\u0041`, 1_000_000) + `"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := []byte(line)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = parseRequest(text)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
				t.Errorf("allocated %d bytes for a line of %d", used, len(text))
			}
		})
	}
}

// J13: whatever a result holds, a reply is one line without control characters.
func TestJ13RepliesAreOneLine(t *testing.T) {
	hostile := "a\r\n\x1b[31m\x00\x07\u202e\"\\\xff"
	reply, err := encodeResult(json.RawMessage("1"), []string{hostile})
	if err != nil {
		t.Fatal(err)
	}
	event, err := encodeNotification("m", []any{map[string]string{hostile: hostile}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{reply, event, encodeError(nil, InvalidParams("%s", hostile))} {
		if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' }); i >= 0 || !json.Valid(text) {
			t.Errorf("%q", text)
		}
	}
}

// An error whose detail has no JSON form is still sent, and so is its code.
func TestErrorDetailThatCannotBeEncoded(t *testing.T) {
	text := encodeError(json.RawMessage("3"), &Error{Code: 7, Message: "m", Data: func() {}})
	wantJSON(t, string(text), `{"jsonrpc":"2.0","id":3,"error":{"code":7,"message":"m"}}`)
}

// parseRequest never fails otherwise than by its error, and what it takes is what encoding/json
// sees in the line.
func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		call(1, "ping"), call(-3, "send", "a\u2028b", 1, nil), "[]", "{}", `{"jsonrpc":"2.0","id":"1e2","method":"\ud83e\udd80"}`,
		`{"jsonrpc":"2.0","id":1,"id":2,"method":"x","\u006dethod":"y","params":{"a":[{}]},"params":[]}`, "POST / HTTP/1.1\r\n",
		`{"a":"\\","b":{"}":"]"},"jsonrpc":"2.0","id":0,"method":""}`, "\xff", `{"jsonrpc":"2.0","id":1,"method":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		req, refusal := parseRequest(line)
		var members map[string]json.RawMessage
		invalid := json.Unmarshal(line, &members)
		if refusal != nil {
			if refusal.Code != CodeParse && refusal.Code != CodeInvalidRequest {
				t.Errorf("%v", refusal)
			}
			return
		}
		if invalid != nil {
			t.Fatal(invalid)
		}
		var method string
		if err := json.Unmarshal(members["method"], &method); err != nil || method != req.method {
			t.Errorf("method %q, want %q (%v)", req.method, method, err)
		}
		if params, ok := members["params"]; ok && !bytes.Equal(params, req.params) {
			t.Errorf("params %q, want %q", req.params, params)
		}
		var id int64
		if err := json.Unmarshal(encodeError(req.id, InvalidParams("")), &struct{ ID *int64 }{&id}); err != nil && !bytes.Contains(req.id, []byte("9223372036854776000")) {
			t.Errorf("id %q: %v", req.id, err)
		}
	})
}

// A line reader gives back what was cut into lines, however it arrives.
func FuzzLineReader(f *testing.F) {
	f.Add([]byte("{}\n[]\r\n\"x\""), 5)
	f.Add([]byte("1\n\n\n"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, longest int) {
		longest = max(1, longest%10_000)
		reader := newLineReader(bytes.NewReader(stream), longest, nil)
		rest := stream
		for {
			line, err := reader.next()
			if err != nil {
				return
			}
			if len(line) > longest {
				t.Fatalf("a line of %d bytes, longest %d", len(line), longest)
			}
			want, after, _ := bytes.Cut(rest, []byte("\n"))
			if !bytes.Equal(line, bytes.TrimSuffix(want, []byte("\r"))) {
				t.Fatalf("got %q, want %q", line, want)
			}
			rest = after
		}
	})
}
