// Package jsonrpc is a small, strict JSON-RPC 2.0 server and client. It knows framing, errors and
// subscriptions, and nothing of what the methods do.
//
// # Lines
//
// Over tcp:// and unix:// a request is one JSON object on one line, ended by "\n" or "\r\n"; every
// line the server sends ends in "\r\n". The requests of one connection are run one after the other,
// in the order they came, and answered in that order; any number may be sent ahead. A method that
// waits makes only its own connection wait. When the client closes its sending side, what it sent
// is still run and answered, a last line without its end too, and then the connection is closed.
//
// What is not one request object is answered with a parse error or an invalid-request error whose
// id is null, and then the connection is closed and nothing after it is run. So a web page that
// makes a browser post to the port runs nothing: the first byte of an HTTP request cannot begin a
// JSON text.
//
// The members of a request:
//
//   - jsonrpc is "2.0".
//   - id is an integer of at most 2^63 in magnitude, or a string that holds one ("42", "42.0",
//     "1e2"); it comes back as a number, exact up to 2^53. A request without an id is invalid.
//   - method is a string. Params are an array or an object; none is an empty array.
//   - Of a doubled member the last counts; other members are ignored.
//
// The text must be UTF-8 with no lone surrogate, nested at most [MaxDepth] deep, and the line at
// most [Config.MaxLine] bytes.
//
// A method may go on to send notifications, after its reply or instead of one: objects with the
// method's name as method and an array of params, and no id. They come between the replies to
// other requests, and end with the connection.
//
// # HTTP
//
// Over http+tcp:// the body of a POST, to any path, is one such request. The answer is status 200,
// or 400 when it is an error object; a long list comes in chunks. Where a method sends
// notifications, the response goes on: the reply, if the method gives one, and then every
// notification, a line each.
//
// Status 403 refuses what a foreign web page may have caused a browser to send: a Host that is not
// localhost, a loopback address, the configured host or the address the connection was made to; an
// Origin that is not that Host; a Sec-Fetch-Site that says so. Status 415 refuses the content types
// that an HTML form can send as they are; application/json, what curl sends by default, and none
// are taken. Status 405 refuses all methods but POST. None of these runs anything.
//
// # Trust
//
// There is no authentication: who reaches the address may call every method. A unix socket is open
// to its owner alone.
package jsonrpc
