package jsonrpc

import (
	"context"
	"errors"
	"net"

	"dchat/p2p/addr"
	"dchat/p2p/socketfile"
)

// listenUnix binds a socket file that only its owner can open.
func listenUnix(ctx context.Context, a addr.Addr) (net.Listener, error) {
	path, ok := a.FilePath()
	if !ok {
		return nil, errors.New("want unix:///absolute/path")
	}
	listener, err := socketfile.Listen(ctx, path)
	if err != nil {
		return nil, err // and no listener that is a nil pointer
	}
	return listener, nil
}
