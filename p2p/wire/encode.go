package wire

import (
	"encoding/binary"

	"dchat/p2p/addr"
)

// AppendUint16 appends v in 2 bytes.
func AppendUint16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }

// AppendUint32 appends v in 4 bytes.
func AppendUint32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// AppendUint64 appends v in 8 bytes.
func AppendUint64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

// AppendBool appends v as one byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// The first byte of a VarInt that is longer than one byte.
const (
	varInt16 = 0xfd
	varInt32 = 0xfe
	varInt64 = 0xff
)

// AppendVarInt appends v in its shortest form: itself below 0xfd, else a marker byte and 2, 4 or 8 bytes.
func AppendVarInt(b []byte, v uint64) []byte {
	switch {
	case v < varInt16:
		return append(b, byte(v))
	case v < 1<<16:
		return AppendUint16(append(b, varInt16), uint16(v))
	case v < 1<<32:
		return AppendUint32(append(b, varInt32), uint32(v))
	default:
		return AppendUint64(append(b, varInt64), v)
	}
}

// AppendString appends the length of s in bytes and s. It must be valid UTF-8, since peers treat anything else as an offence.
func AppendString(b []byte, s string) []byte {
	return append(AppendVarInt(b, uint64(len(s))), s...)
}

// AppendBytes appends the length of p and p.
func AppendBytes(b, p []byte) []byte {
	return append(AppendVarInt(b, uint64(len(p))), p...)
}

// AppendAddr appends the text of a, which must not be zero, since peers treat an empty address as an offence.
func AppendAddr(b []byte, a addr.Addr) []byte { return AppendString(b, a.String()) }

// AppendSemver appends the three numbers of v, 8 bytes each, and its pre-release and build as strings. They must be valid, as
// ParseSemver returns them.
func AppendSemver(b []byte, v Semver) []byte {
	b = AppendUint64(b, v.Major)
	b = AppendUint64(b, v.Minor)
	b = AppendUint64(b, v.Patch)
	b = AppendString(b, v.Pre)
	return AppendString(b, v.Build)
}
