package jsonrpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"dchat/p2p/addr"
)

// httpLink sends every request as a POST.
type httpLink struct {
	url    string
	client *http.Client
}

func newHTTPLink(endpoint addr.Addr) *httpLink {
	return &httpLink{
		url: "http://" + endpoint.HostPort() + "/",
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{ // no Proxy: what the environment names is for other hosts
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return dial(ctx, endpoint)
				},
				MaxResponseHeaderBytes: maxHeader,
				ExpectContinueTimeout:  time.Second,
				// A connection that was kept may have ended unnoticed: whether a call on it was
				// run could not be told.
				DisableKeepAlives: true,
			},
		},
	}
}

func (l *httpLink) call(ctx context.Context, id int64, request []byte) (answer, error) {
	response, err := l.post(ctx, request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a, err := readAnswer(ctx, response)
	if err == nil && !a.isFor(id) {
		err = fmt.Errorf("%w: HTTP status %s", ErrProtocol, response.Status)
	}
	return a, err
}

func (l *httpLink) subscribe(ctx context.Context, _ int64, request []byte) (*Subscription, error) {
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	response, err := l.post(living, request)
	if err == nil && !stop() {
		_ = response.Body.Close()
		err = ctx.Err()
	}
	if err != nil {
		end()
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return &Subscription{in: newPump(&cancelingBody{response.Body, end})}, nil
	}
	defer end()
	defer func() { _ = response.Body.Close() }()
	a, err := readAnswer(ctx, response)
	switch {
	case err != nil:
		return nil, err
	case a.Error != nil:
		return nil, a.Error.typed()
	default:
		return nil, fmt.Errorf("%w: HTTP status %s", ErrProtocol, response.Status)
	}
}

func (l *httpLink) post(ctx context.Context, request []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", jsonType)
	response, err := l.client.Do(r)
	switch {
	case err == nil:
		return response, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, ErrUnreachable):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
}

// readAnswer reads the one answer in the body of a response.
func readAnswer(ctx context.Context, response *http.Response) (answer, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	switch {
	case ctx.Err() != nil:
		return answer{}, ctx.Err()
	case err != nil:
		return answer{}, fmt.Errorf("%w: %w", ErrDisconnected, err)
	case len(body) > maxReply:
		return answer{}, fmt.Errorf("%w: %w", ErrProtocol, errLineTooLong)
	}
	return parseAnswer(body)
}

func (l *httpLink) close() error { return nil } // every call has a connection of its own

// cancelingBody is a response body whose closing ends the request, also in the middle of a read.
type cancelingBody struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close ends the request.
func (b *cancelingBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
