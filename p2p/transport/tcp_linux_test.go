package transport_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

func TestTCP(t *testing.T) {
	for _, host := range loopbacks(t) {
		t.Run(host, func(t *testing.T) {
			transporttest.Run(t, func(*testing.T) transporttest.Subject {
				return transporttest.Subject{
					Transport: &transport.TCP{},
					Listen:    addr.MustParse("tcp://" + host + ":0"),
					Stalled: func(t *testing.T) addr.Addr {
						return addr.MustParse("tcp://" + transporttest.StalledTCP(t, host+":0"))
					},
				}
			})
		})
	}
}

func TestTCPSocketOptions(t *testing.T) {
	tcp := &transport.TCP{}
	l := mustListen(t, tcp, "tcp://127.0.0.1:0")
	dialled, err := tcp.Dial(t.Context(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close() //nolint:errcheck // nothing was sent
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close() //nolint:errcheck // nothing was sent
	for end, c := range map[string]transport.Conn{"dialled": dialled, "accepted": accepted} {
		socket, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []struct {
			name                string
			level, option, want int
		}{
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{"TCP_USER_TIMEOUT in ms", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 20_000},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE in s", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 20},
			{"SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, 0},
		} {
			got := -1
			if err := socket.Control(func(fd uintptr) { got, _ = unix.GetsockoptInt(int(fd), o.level, o.option) }); err != nil {
				t.Fatal(err)
			}
			if got != o.want {
				t.Errorf("%s: %s is %d, want %d", end, o.name, got, o.want)
			}
		}
	}
}
