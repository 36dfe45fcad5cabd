// Command lilith is the seed of peer-to-peer networks.
package main

import (
	"context"
	"os"

	"dchat/app/lilith"
)

func main() {
	os.Exit(lilith.Run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
