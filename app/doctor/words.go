package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// fault is what is wrong, and what to do about it.
type fault struct{ detail, advice string }

// words says what an error of a lookup, a dial or a connection means, and after how
// long it came.
func (e *examination) words(f *finding, err error, took time.Duration) fault {
	err = withoutAddr(err)
	isUnix, isQUIC := f.endpoint.Scheme() == addr.Unix, f.endpoint.Scheme() == addr.QUIC
	lookup, op, header := (*net.DNSError)(nil), (*net.OpError)(nil), tls.RecordHeaderError{}
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return fault{"there is no such name", "Look for a typing mistake in it. " + otherwise(f)}
	case errors.As(err, &lookup):
		return fault{"the name cannot be looked up: the name server does not answer", "Is this machine online? Look at its DNS settings."}
	case errors.Is(err, transport.ErrCertificate):
		return fault{err.Error(), "What answers there is no node of this network: is the port right? " + instead(f)}
	case errors.As(err, &header):
		return fault{"it does not speak TLS", "Write the address with the scheme without +tls."}
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert
		return fault{"it refuses TLS as nodes speak it: " + op.Err.Error(), "What answers there is no node of this network: is the port right? " + instead(f)}
	case isQUIC && late(err):
		return fault{fmt.Sprintf("nobody answered within %v", took.Round(time.Second)), "A firewall that drops UDP, a wrong port and a node that is down look the same. " + otherwise(f)}
	case late(err):
		return fault{fmt.Sprintf("no answer within %v", took.Round(time.Second)), "The machine is off, or a firewall drops what is sent to it, there or here. " + otherwise(f)}
	case isUnix && errors.Is(err, os.ErrNotExist):
		return fault{"there is no such file", "The node there does not run, or the path is wrong."}
	case isUnix && errors.Is(err, os.ErrPermission):
		return fault{"no permission to use the socket", "It is for the user alone that the node there runs as: run both as the same one."}
	case isUnix && errors.Is(err, syscall.ECONNREFUSED):
		return fault{"refused: nobody listens at the file", "The node there has ended, or something else is at the path: start it, or correct the path."}
	case isQUIC && errors.Is(err, syscall.ECONNREFUSED):
		return fault{"it takes no more connections", "Try again later. " + otherwise(f)}
	case isQUIC && ended(err):
		return fault{"it ended the connection: " + err.Error(), "What answers there may be no node of this network. " + instead(f)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault{"refused: nothing listens there", "The node there does not run, or the port is wrong. " + otherwise(f)}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return fault{"there is no way to that network from here", "Is this machine online? Does it have IPv6, if the address is one?"}
	case errors.Is(err, channel.ErrHandshakeTimeout), errors.Is(err, errNoAnswer):
		return fault{fmt.Sprintf("silent for %v", took.Round(time.Second)), "What listens there hangs, or is no node. " + otherwise(f)}
	case errors.Is(err, context.Canceled):
		return fault{detail: "not found out: the examination was interrupted"}
	case ended(err):
		return fault{"it closed the connection", "Perhaps it is full or shutting down: try again later. " + otherwise(f)}
	}
	return fault{err.Error(), otherwise(f)}
}

// late tells whether an error is that the time was over.
func late(err error) bool {
	timeout := (net.Error)(nil)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// otherwise is what else can be done about an address that does not work.
func otherwise(f *finding) string {
	switch f.stage {
	case StageSeed:
		return "Otherwise take another seed."
	case StagePeer:
		return "Otherwise ask whoever runs it."
	}
	switch strings.TrimSuffix(f.endpoint.Scheme(), "+tls") {
	case addr.Tor, addr.I2P, addr.Socks5:
		return "Does the hidden service lead to an address that this node listens at?"
	default:
		return "Is the port forwarded by the router, and open in the firewall? Some routers do not let a machine reach itself by its outer address: then try from elsewhere."
	}
}

// instead is what can be done about an address at which there is something else.
func instead(f *finding) string {
	switch f.stage {
	case StageSeed:
		return "Take another seed."
	case StagePeer:
		return "Ask whoever runs it for the right address."
	default:
		return "The router forwards the port to another program, or another machine."
	}
}

// saidInstead says why a handshake was not done.
func (e *examination) saidInstead(f *finding, heard *tap, err error, took time.Duration) fault {
	offence := (*wire.Error)(nil)
	switch {
	case errors.As(err, &offence) && offence.Kind == wire.Mismatch:
		return e.otherVersion(f, offence)
	case errors.As(err, &offence) && offence.Kind == wire.BadMagic:
		return e.otherProtocol(f, heard.first)
	case errors.As(err, &offence):
		return fault{"it breaks the protocol: " + offence.Error(), "What answers there may be no node of this network. " + instead(f)}
	case len(heard.first) == 0 && ended(err):
		return fault{"it closed the connection without a byte",
			"It is full, or does not want this machine: it may have banned it, mostly for a day. If it speaks TLS, write the scheme with +tls. " + otherwise(f)}
	case ended(err) && f.version != nil && !e.compatible(f.version):
		return e.otherVersion(f, nil)
	}
	return e.words(f, err, took)
}

// ended tells whether the other end ended the connection.
func ended(err error) bool {
	return slices.ContainsFunc([]error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, channel.ErrDisconnected,
	}, func(end error) bool { return errors.Is(err, end) })
}

// compatible tells whether a node is one that this one talks to.
func (e *examination) compatible(v *wire.Version) bool {
	return v.AppName == e.Settings.AppName && v.AppVersion.Compatible(e.Settings.AppVersion)
}

// otherVersion says how a node differs. What it refused, or was refused for, is in its
// verack; a node that says something else in its version is an odd one.
func (e *examination) otherVersion(f *finding, refusal *wire.Error) fault {
	s, v := &e.Settings, f.version
	switch {
	case v == nil || e.compatible(v):
		return fault{refusal.Reason, instead(f)}
	case v.AppName == s.AppName:
		return fault{fmt.Sprintf("%s runs %s, you run %s", who(f), application(v.AppName, v.AppVersion), application(s.AppName, s.AppVersion)),
			"Major and minor number must be the same: update whichever is older. " + otherwise(f)}
	default:
		return fault{fmt.Sprintf("%s runs %s, you run %s", who(f), application(v.AppName, v.AppVersion), application(s.AppName, s.AppVersion)),
			"That is another application, on a network of its own. " + instead(f)}
	}
}

// who is the other end in a sentence.
func who(f *finding) string {
	if f.stage == StageExternal || f.stage == StageListening {
		return "it"
	}
	return "the " + f.stage
}

// otherProtocol says what begins with other bytes than a frame of this network.
func (e *examination) otherProtocol(f *finding, first []byte) fault {
	const magic = 4
	switch {
	case len(first) > magic && bytes.HasPrefix(wire.AppendString(nil, wire.CommandVersion), first[magic:min(len(first), magic+1+len(wire.CommandVersion))]):
		return fault{fmt.Sprintf("it is on another network: its magic bytes are %v, yours %v", first[:magic], e.Settings.MagicBytes),
			"If you want to be on that one, set magic_bytes in the configuration to its bytes. " + otherwise(f)}
	case len(first) > 1 && (first[0] == 0x15 || first[0] == 0x16) && first[1] == 3:
		return fault{"it speaks TLS", "Write the address with the scheme and +tls."}
	default:
		return fault{fmt.Sprintf("what answers there is no node: it says %q", first), "Is the port right? " + instead(f)}
	}
}

// count is "1 peer" or "2 peers".
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}
