package jsonrpc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	decode := func(params string, exact bool) (text string, n uint8, err error) {
		c := &Call{params: json.RawMessage(params)}
		if exact {
			err = c.Args(&text, &n)
		} else {
			err = c.FirstArgs(&text, &n)
		}
		return text, n, err
	}
	for _, test := range []struct {
		params      string
		exact, want bool
	}{
		{`["a",1]`, true, true},
		{` [ "a" , 1 ] `, true, true},
		{`["a",1,2]`, false, true},
		{`["a",1,2]`, true, false},
		{`["a"]`, false, false},
		{`[]`, true, false},
		{`{}`, false, false},
		{`{"0":"a","1":1}`, true, false},
		{`[1,"a"]`, true, false},
		{`["a",null]`, true, false},
		{`[null,1]`, false, false},
		{`["a",256]`, true, false},
		{`["a",-1]`, true, false},
		{`["a",1.5]`, true, false},
		{`["a",[1]]`, true, false},
		{`[["a"],1]`, true, false},
		{`["a",true]`, true, false},
	} {
		t.Run(fmt.Sprint(test.params, test.exact), func(t *testing.T) {
			text, n, err := decode(strings.TrimSpace(test.params), test.exact)
			switch e, _ := err.(*Error); { //nolint:errorlint // it has to be the error itself, so that it is sent as it is
			case test.want && (err != nil || text != "a" || n != 1):
				t.Errorf("%q, %d, %v", text, n, err)
			case !test.want && (e == nil || e.Code != CodeInvalidParams):
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestObject(t *testing.T) {
	type page struct {
		After uint64 `json:"after"`
		Limit int    `json:"limit"`
	}
	for params, want := range map[string]*page{
		`{"after":3,"limit":-1}`:   {3, -1},
		`{"limit":2}`:              {7, 2},
		`{"after":null,"limit":2}`: {7, 2},
		`{}`:                       {7, 8},
		`[]`:                       {7, 8},
		`[{}]`:                     nil,
		`{"after":"3"}`:            nil,
		`{"after":-1}`:             nil,
		`{"other":1}`:              nil,
		`{"limit":[]}`:             nil,
	} {
		got := page{7, 8}
		err := (&Call{params: json.RawMessage(params)}).Object(&got)
		e, _ := err.(*Error) //nolint:errorlint // it has to be the error itself, so that it is sent as it is
		switch {
		case want != nil && (err != nil || got != *want):
			t.Errorf("%s: %v, %v", params, got, err)
		case want == nil && (e == nil || e.Code != CodeInvalidParams):
			t.Errorf("%s: %v", params, err)
		}
	}
}

// The detail says what is wanted in words of JSON, not of the server's source.
func TestInvalidParamsDetail(t *testing.T) {
	var text string
	var options struct {
		Limit int `json:"limit"`
	}
	for params, want := range map[string]string{
		`[1]`:           "invalid params (-32602): param 1: want string, got number",
		`[null]`:        "invalid params (-32602): param 1: want string, got null",
		`[]`:            "invalid params (-32602): want 1 params, got 0",
		`{"limit":"x"}`: "invalid params (-32602): limit: want int, got string",
	} {
		c := &Call{params: json.RawMessage(params)}
		err := c.Args(&text)
		if params[0] == '{' {
			err = c.Object(&options)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", params, err, want)
		}
	}
}
