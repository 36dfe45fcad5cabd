package jsonrpc

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// request is one well-formed request.
type request struct {
	id     json.RawMessage // a JSON integer
	method string
	params json.RawMessage // a JSON array or object; shares the line's memory
}

// parseRequest reads one line, or the body of a POST. The error is a parse error or an invalid
// request, to be answered with a null id.
func parseRequest(line []byte) (request, *Error) {
	text := bytes.Trim(line, whiteSpace)
	if err := checkText(text); err != nil {
		return request{}, parseError(err.Error())
	}
	if text[0] != '{' {
		return request{}, invalidRequest("not an object; batches are not taken")
	}
	var protocol, id, method json.RawMessage
	params := json.RawMessage("[]")
	for name, value := range members(text) {
		switch string(name) {
		case "jsonrpc":
			protocol = value
		case "id":
			id = value
		case "method":
			method = value
		case "params":
			params = value
		}
	}
	req := request{params: params}
	if v, ok := parseString(protocol); !ok || v != version {
		return request{}, invalidRequest(`jsonrpc is not "2.0"`)
	}
	var ok bool
	if req.id, ok = parseID(id); !ok {
		return request{}, invalidRequest("id is not an integer")
	}
	if req.method, ok = parseString(method); !ok {
		return request{}, invalidRequest("method is not a string")
	}
	if params[0] != '[' && params[0] != '{' {
		return request{}, invalidRequest("params are neither an array nor an object")
	}
	return req, nil
}

func parseString(value json.RawMessage) (string, bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

// parseID brings an id to the form in which it goes back: the double nearest to it, which has to be
// an integer.
func parseID(value json.RawMessage) (json.RawMessage, bool) {
	text := string(value)
	if s, ok := parseString(value); ok {
		text = s
	}
	// ParseFloat would also take inf, NaN and hexadecimal.
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
		return nil, false
	}
	id, err := strconv.ParseFloat(text, 64)
	if err != nil || id != math.Trunc(id) || math.Abs(id) > 1<<63 {
		return nil, false
	}
	return strconv.AppendFloat(nil, id+0, 'f', -1, 64), true // + 0 takes the sign off -0
}
