package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const jsonType = "application/json"

// httpRefusal is what a connection beyond the limit is sent.
func httpRefusal() []byte {
	body := encodeError(nil, tooManyConns())
	return append([]byte("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: "+jsonType+
		"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
}

func (s *Server) httpServer(ctx context.Context, tasks *sync.WaitGroup) *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       largeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0), // it would be what clients do wrong, in their words
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				tasks.Add(1)
			case http.StateClosed:
				tasks.Done()
			default:
			}
		},
	}
}

// serveHTTP answers one POST.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case isForeign(r, s.cfg.Listen.Hostname()):
		s.refuseHTTP(w, http.StatusForbidden, "foreign Origin or Host")
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		s.refuseHTTP(w, http.StatusMethodNotAllowed, "want POST")
		return
	case !takesContent(r.Header.Get("Content-Type")):
		s.refuseHTTP(w, http.StatusUnsupportedMediaType, "want Content-Type "+jsonType)
		return
	}
	if req, out, ok := s.runHTTP(w, r); ok {
		s.answerHTTP(w, r, req, out)
	}
}

// runHTTP reads a request and runs it, unless it refuses it. A body whose length was not told has
// at most hugeLine bytes.
func (s *Server) runHTTP(w http.ResponseWriter, r *http.Request) (req request, out outcome, ok bool) {
	limit := s.cfg.MaxLine
	switch {
	case r.ContentLength < 0:
		limit = min(limit, hugeLine)
	case r.ContentLength > hugeLine:
		if s.enterHuge(r.Context()) != nil {
			return // the server stops
		}
		defer s.leaveHuge()
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(largeTimeout)) // the wait does not count
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		s.refuseHTTP(w, http.StatusRequestEntityTooLarge, errLineTooLong.Error())
		return
	} else if err != nil {
		s.refuseHTTP(w, http.StatusBadRequest, "body cut short")
		return
	}
	req, refusal := parseRequest(body)
	if refusal != nil {
		w.Header().Set("Connection", "close")
		s.writeHTTP(w, http.StatusBadRequest, encodeError(nil, refusal))
		return
	}
	out = s.run(r.Context(), req)
	req.params = nil // the answer needs nothing of the body, and may be a long stream
	return req, out, true
}

func (s *Server) answerHTTP(w http.ResponseWriter, r *http.Request, req request, out outcome) {
	switch {
	case out.stream != nil:
		s.streamHTTP(w, r, req, out)
	case out.list != nil:
		s.listHTTP(w, r, req, out.list)
	case out.text == nil:
		w.WriteHeader(http.StatusNoContent)
		_ = s.sendHTTP(w, nil)
	case out.failed:
		s.writeHTTP(w, http.StatusBadRequest, out.text)
	default:
		s.writeHTTP(w, http.StatusOK, out.text)
	}
}

// refuseHTTP answers a request that is not run, and closes the connection, so that the rest of it
// is not waited for.
func (s *Server) refuseHTTP(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Connection", "close")
	s.writeHTTP(w, status, encodeError(nil, invalidRequest(detail)))
}

func (s *Server) writeHTTP(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_ = s.sendHTTP(w, text)
}

// listHTTP writes a reply that may be long. Its length is told when the first part is all of it.
func (s *Server) listHTTP(w http.ResponseWriter, r *http.Request, req request, list List) {
	w.Header().Set("Content-Type", jsonType)
	begun := false
	err := s.produce(r.Context(), req.method, func() error {
		return sendList(req.id, list, func(part []byte, last bool) error {
			if last && !begun {
				w.Header().Set("Content-Length", strconv.Itoa(len(part)))
			}
			begun = true
			return s.sendHTTP(w, part)
		})
	})
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// streamHTTP writes the reply, if there is one, and then the notifications, a line each. The
// response ends when the stream does, and cut short when that was by an error.
func (s *Server) streamHTTP(w http.ResponseWriter, r *http.Request, req request, out outcome) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusOK)
	var text []byte
	if out.text != nil {
		text = append(out.text, lineEnd...)
	}
	_ = s.sendHTTP(w, text)
	err := s.produce(r.Context(), req.method, func() error {
		return out.stream(r.Context(), func(params ...any) error {
			line, err := encodeNotification(req.method, params)
			if err != nil {
				return err
			}
			return s.sendHTTP(w, append(line, lineEnd...))
		})
	})
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// sendHTTP writes text and sees that it gets out, within the write timeout for every chunk.
func (s *Server) sendHTTP(w http.ResponseWriter, text []byte) error {
	control := http.NewResponseController(w)
	for {
		chunk := text[:min(len(text), writeChunk)]
		text = text[len(chunk):]
		err := control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
		if err == nil {
			_, err = w.Write(chunk) //nolint:gosec // it is JSON, and says so
		}
		if err == nil {
			err = control.Flush()
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDisconnected, err)
		}
		if len(text) == 0 {
			return nil
		}
	}
}
