package jsonrpc

import "encoding/json"

const version = "2.0"

// The shapes of what goes over the wire, in both directions.
type (
	callMessage struct {
		Version string          `json:"jsonrpc"`
		ID      int64           `json:"id"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	}
	notification struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		Params  []any  `json:"params"`
	}
	resultMessage struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  any             `json:"result"`
	}
	errorMessage struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"` // nil is null
		Error   *Error          `json:"error"`
	}
)

func encodeResult(id json.RawMessage, result any) ([]byte, error) {
	return json.Marshal(resultMessage{version, id, result})
}

// encodeError always gives a message: a detail that has no JSON form is left out.
func encodeError(id json.RawMessage, e *Error) []byte {
	text, err := json.Marshal(errorMessage{version, id, e})
	if err != nil {
		text, _ = json.Marshal(errorMessage{version, id, &Error{Code: e.Code, Message: e.Message}})
	}
	return text
}

func encodeNotification(method string, params []any) ([]byte, error) {
	if params == nil {
		params = []any{}
	}
	return json.Marshal(notification{version, method, params})
}
