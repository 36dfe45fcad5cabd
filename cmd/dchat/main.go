// Command dchat talks to the peers of a dchatd daemon.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"dchat/app/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(client.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
