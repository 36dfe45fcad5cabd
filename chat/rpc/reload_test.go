package rpc

import (
	"errors"
	"testing"

	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
)

func TestReloadAnswersWhatChangedOrWhyNothingDid(t *testing.T) {
	var result Reloaded
	var failure error
	methods := ReloadMethods(func() (Reloaded, error) { return result, failure })
	server, err := jsonrpc.New(jsonrpc.Config{Listen: addr.MustParse("tcp://127.0.0.1:0")}, methods)
	must(t, err)
	must(t, server.Start(t.Context()))
	defer func() { must(t, server.Stop(t.Context())) }()
	client, err := jsonrpc.Dial(t.Context(), server.Addr())
	must(t, err)
	defer func() { must(t, client.Close()) }()
	d := &daemon{client: client}

	if got, err := d.call(t, "p2p.reload", `[]`); got != `{"applied":[],"restart":[]}` || err != nil {
		t.Errorf("nothing has changed: %s, %v", got, err)
	}
	result = Reloaded{Applied: []string{"net.peers"}, Restart: []string{"log.file"}}
	if got, err := d.call(t, "p2p.reload", `[]`); got != `{"applied":["net.peers"],"restart":["log.file"]}` || err != nil {
		t.Errorf("something has: %s, %v", got, err)
	}
	failure = errors.New("x.toml:3: net.peers = 5: give a list")
	answer := (*jsonrpc.Error)(nil)
	_, err = d.call(t, "p2p.reload", `[]`)
	if want := `the configuration cannot be applied: nothing has changed (-32012): "x.toml:3: net.peers = 5: give a list"`; !errors.As(err, &answer) || answer.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err = d.call(t, "p2p.reload", `["x.toml"]`); !errors.As(err, &answer) || answer.Code != jsonrpc.CodeInvalidParams {
		t.Errorf("with a param: %v", err)
	}
}
