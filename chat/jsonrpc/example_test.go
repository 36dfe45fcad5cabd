package jsonrpc_test

import (
	"context"
	"fmt"

	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
)

// A method with a result, one with a stream, and a client of both.
func Example() {
	ctx := context.Background()
	server, err := jsonrpc.New(jsonrpc.Config{Listen: addr.MustParse("tcp://127.0.0.1:0")}, map[string]jsonrpc.Handler{
		"add": func(_ context.Context, c *jsonrpc.Call) (any, error) {
			var a, b int
			if err := c.Args(&a, &b); err != nil {
				return nil, err
			}
			return a + b, nil
		},
		"count": func(_ context.Context, c *jsonrpc.Call) (any, error) {
			if err := c.Args(); err != nil {
				return nil, err
			}
			c.Stream(func(_ context.Context, notify jsonrpc.Notify) error {
				for i := range 2 {
					if err := notify(i); err != nil {
						return err
					}
				}
				return nil
			})
			return jsonrpc.NoReply{}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Stop(ctx) }()

	client, err := jsonrpc.Dial(ctx, server.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	var sum int
	err = client.Call(ctx, "add", []int{2, 3}, &sum)
	fmt.Println(sum, err)
	fmt.Println(client.Call(ctx, "add", []string{"2", "3"}, &sum))

	numbers, err := client.Subscribe(ctx, "count", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = numbers.Close() }()
	for range 2 {
		params, err := numbers.Next(ctx)
		fmt.Println(string(params), err)
	}
	// Output:
	// 5 <nil>
	// add: invalid params (-32602): "param 1: want int, got string"
	// [0] <nil>
	// [1] <nil>
}
