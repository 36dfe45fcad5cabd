// Package client is the dchat command: it sends, receives and shows the texts of
// a chat through a daemon's JSON-RPC, and can start a private network of its own
// to try things with.
//
// Whatever a peer or a daemon says is made harmless before it reaches the
// terminal. What is told of a text is what is known: for how many peers it was
// taken, or that nobody got it.
package client
