// Package wire says what the bytes between two nodes mean.
//
// It has three layers. The primitives are Append functions that write values to a caller's buffer, and [Decoder], which
// reads them back from a bounded slice. The messages ([Version], [Verack], [Ping], [Pong], [GetAddr], [Addrs]) are made of
// primitives; a package with messages of its own implements [Message] and [Decodable] in the same way. A frame carries one
// message: [AppendFrame] writes it and [FrameReader] reads it from a stream.
//
// All integers are little-endian. A string is its length in bytes, then UTF-8. A list is its count, then its items.
// Lengths and counts are VarInts, which must be written in the shortest form.
//
// Everything that is read is taken to be hostile. Nothing is allocated by a length or a count that the bytes only claim:
// memory follows the bytes that are really there.
//
// Errors tell two things apart. An [*Error] means that the peer sent bytes that are wrong, which may be held against it.
// Any other error of a reader means that the connection failed, which is nobody's fault.
package wire
