// Command dchatd is one node of a peer-to-peer chat.
package main

import (
	"context"
	"os"

	"dchat/app"
)

func main() {
	os.Exit(app.Run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
