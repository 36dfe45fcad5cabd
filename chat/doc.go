// Package chat is a chat on a p2p network: texts to everybody who is connected,
// texts from them, and the history of both.
//
// Join puts a Dchat on a P2p. A text goes to the direct neighbours only; stock
// nodes understand it. Nothing in it says who wrote it or when.
package chat
