package settingsfx

import (
	"bytes"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines tells in which line of a TOML text each key and each table first stands.
func lines(text []byte) map[string]int {
	p := positions{found: make(map[string]int), line: 1, text: text}
	p.parser.Reset(text)
	table := ""
	for p.parser.NextExpression() {
		switch e := p.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = p.add("", e) + "."
		case unstable.KeyValue:
			p.addValue(table, e)
		default:
		}
	}
	return p.found
}

type positions struct {
	parser unstable.Parser
	found  map[string]int
	text   []byte
	offset int // counted up to here
	line   int // the line of offset
}

// addValue adds a key and the keys of the inline tables in its value.
func (p *positions) addValue(prefix string, e *unstable.Node) {
	key := p.add(prefix, e)
	if e.Value().Kind != unstable.InlineTable {
		return
	}
	for it := e.Value().Children(); it.Next(); {
		p.addValue(key+".", it.Node())
	}
}

// add adds the key of an expression, and the tables on the way to it, and returns it.
func (p *positions) add(prefix string, e *unstable.Node) string {
	key := prefix
	for it := e.Key(); it.Next(); {
		key += string(it.Node().Data)
		if start := int(it.Node().Raw.Offset); start > p.offset {
			p.line += bytes.Count(p.text[p.offset:start], []byte{'\n'})
			p.offset = start
		}
		if _, ok := p.found[key]; !ok {
			p.found[key] = p.line
		}
		key += "."
	}
	return strings.TrimSuffix(key, ".")
}
