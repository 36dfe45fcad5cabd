package transport_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func TestDefaultServesEveryScheme(t *testing.T) {
	all := []string{"i2p", "i2p+tls", "quic", "socks5", "socks5+tls", "tcp", "tcp+tls", "tor", "tor+tls", "unix"}
	if got := transport.Default().Schemes(); !slices.Equal(got, all) {
		t.Errorf("got %v, want %v", got, all)
	}
	if got, want := transport.Default().Listening(), []string{"quic", "tcp", "tcp+tls", "unix"}; !slices.Equal(got, want) {
		t.Errorf("%v can be listened on, want %v", got, want)
	}
}

func TestSetUsesTheTransportOfTheScheme(t *testing.T) {
	one, other := transport.NewMem(), transport.NewMem()
	set := transport.Set{"one": one, "other": other}
	l, err := set.Listen(t.Context(), addr.MustParse("one://host:1"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a listener in memory
	if c, err := set.Dial(t.Context(), addr.MustParse("one://host:1")); err != nil {
		t.Errorf("the same scheme: %v", err)
	} else if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := set.Dial(t.Context(), addr.MustParse("other://host:1")); err == nil {
		t.Error("another scheme reached the listener")
	}
}

func TestSetNamesWhatItDoesNotServe(t *testing.T) {
	a := addr.MustParse("foo://user:secret@host:1")
	for _, c := range []struct {
		set  transport.Set
		want string
	}{
		{transport.Set{}, `cannot dial foo://host:1: no transport for scheme "foo": there is none at all`},
		{transport.Set{"tcp": &transport.TCP{}, "a": transport.NewMem()}, `cannot dial foo://host:1: no transport for scheme "foo": there is a, tcp`},
		{transport.Set{"foo": nil}, `cannot dial foo://host:1: no transport for scheme "foo": there is none at all`},
	} {
		_, err := c.set.Dial(t.Context(), a)
		var unsupported *transport.UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Scheme != "foo" || err.Error() != c.want {
			t.Errorf("Dial: %v, want %s", err, c.want)
		}
		_, err = c.set.Listen(t.Context(), a)
		if !errors.As(err, &unsupported) || !strings.HasPrefix(err.Error(), "cannot listen on foo://host:1:") {
			t.Errorf("Listen: %v, want an error that names scheme and address", err)
		}
	}
}
