package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep the arrays and objects of a request may be nested, the request object itself
// included.
const MaxDepth = 1024

const whiteSpace = " \t\r\n"

// checkText tells what encoding/json lets pass but a peer's decoder may not: bytes that are no
// UTF-8, halves of surrogate pairs, nesting without end.
func checkText(text []byte) error {
	switch {
	case !utf8.Valid(text):
		return errors.New("not UTF-8")
	case !json.Valid(text):
		return errors.New("not JSON")
	}
	depth := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case '"':
			end, paired := scanString(text, i)
			if !paired {
				return errors.New("a lone surrogate in a string")
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > MaxDepth {
			return errors.New("nested too deep")
		}
		i++
	}
	return nil
}

// scanString returns the index behind the string that begins at i of a valid JSON text, and whether
// all surrogates in it come in pairs.
func scanString(text []byte, i int) (end int, paired bool) {
	paired = true
	high := false // the last character was the first half of a pair
	for i++; text[i] != '"'; {
		unit, size := uint64(0), 1
		if text[i] == '\\' {
			size = 2
			if text[i+1] == 'u' {
				size = 6
				unit, _ = strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
			}
		}
		low := unit >= 0xdc00 && unit < 0xe000
		paired = paired && low == high
		high = unit >= 0xd800 && unit < 0xdc00
		i += size
	}
	return i + 1, paired && !high
}

// members walks the members of a valid JSON object that has no white space before it: the decoded
// name and the raw value of each, doubled ones too. It allocates nothing for the members it passes,
// however many there are.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := skip(object, 1, whiteSpace)
		for object[i] != '}' {
			end, _ := scanString(object, i)
			name := decodeName(object[i:end])
			i = skip(object, end, whiteSpace+":")
			end = valueEnd(object, i)
			if !yield(name, object[i:end]) {
				return
			}
			i = skip(object, end, whiteSpace+",")
		}
	}
}

// skip returns the index of the first byte at or behind i that is not in set.
func skip(text []byte, i int, set string) int {
	for strings.IndexByte(set, text[i]) >= 0 {
		i++
	}
	return i
}

func decodeName(literal []byte) []byte {
	if bytes.IndexByte(literal, '\\') < 0 {
		return literal[1 : len(literal)-1]
	}
	var name string
	if json.Unmarshal(literal, &name) != nil {
		return nil
	}
	return []byte(name)
}

// valueEnd returns the index behind the value that begins at i, inside a valid JSON object.
func valueEnd(text []byte, i int) int {
	switch text[i] {
	case '"':
		end, _ := scanString(text, i)
		return end
	case '{', '[':
		return containerEnd(text, i)
	default:
		for strings.IndexByte(",}"+whiteSpace, text[i]) < 0 {
			i++
		}
		return i
	}
}

func containerEnd(text []byte, i int) int {
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i, _ = scanString(text, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}
