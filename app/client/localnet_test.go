package client

import (
	"bytes"
	"context"
	"log"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLocalnetDemonstratesAndExits(t *testing.T) {
	for _, args := range [][]string{{}, {"--nodes", "5"}, {"--nodes", "2", "--tls"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			r := runWith(t, nil, "is not read\n", append([]string{"localnet", "--exit-after", "1s"}, args...)...)
			r.want(t, exitDone, " nodes have found each other, each is connected to all others, after ", "")
			r.want(t, exitDone, "<you> Hello! Is anybody there?\n", "-- sent to ")
			nodes := strings.Count(r.stdout, "\n  node ")
			answers := regexp.MustCompile(`(?m)^[0-9:]+ <tcp[^>]*> node (\d+) got “Hello! Is anybody there\?” after `).FindAllStringSubmatch(r.stdout, -1)
			var who []string
			for _, a := range answers {
				who = append(who, a[1])
			}
			slices.Sort(who)
			if want := []string{"2", "3", "4", "5"}[:nodes-1]; !slices.Equal(who, want) {
				t.Errorf("%q answered, want %q:\n%s", who, want, r.stdout)
			}
			if strings.Contains(r.stdout, "is not read") {
				t.Error("it reads its input")
			}
			join := regexp.MustCompile(`\n  go run \./cmd/dchatd --localnet --accept (tcp\S*)://127\.0\.0\.1:0 --rpc-listen \S+ --hostlist '' --outbound-slots (\d+) --seeds (\S+)\n`).FindStringSubmatch(r.stdout)
			if join == nil || join[2] != "8" || !strings.Contains(r.stdout, "\n  seed     "+join[3]+"\n") {
				t.Errorf("no word on how to join:\n%s", r.stdout)
			}
		})
	}
}

func TestLocalnetFailsWhenNotAllAnswerInTime(t *testing.T) {
	runWith(t, nil, "", "localnet", "--exit-after", "1ns").want(t, exitFailed, "", "did not answer in time")
}

func TestLocalnetWithoutATerminalSendsTheLinesOfItsInput(t *testing.T) {
	p := start(t, "localnet")
	p.Stdout.WaitFor(t, "node 3 got “Hello! Is anybody there?”")
	p.typeLine("and now?")
	p.Stdout.WaitFor(t, "node 2 got “and now?”")
	p.Stdout.WaitFor(t, "node 3 got “and now?”")
	p.typeLine("bye")
	_ = p.stdin.Close()
	p.WantExit(exitDone)
	p.Stdout.WaitFor(t, "node 2 got “bye”")
	p.Stdout.WaitFor(t, "node 3 got “bye”")
}

func TestLocalnetStopsWhenItIsInterrupted(t *testing.T) {
	p := start(t, "localnet")
	p.Stdout.WaitFor(t, "node 2 got")
	p.Stdout.WaitFor(t, "node 3 got")
	p.End()
	p.WantExit(exitDone)
}

func TestLocalnetSaysWhenItWasInterruptedBeforeItStood(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr strings.Builder
	code := Run(ctx, []string{"localnet"}, nil, strings.NewReader(""), &stdout, &stderr)
	result{code, stdout.String(), stderr.String()}.want(t, exitFailed, "A seed and 3 nodes start", "interrupted before all nodes were connected\n")
}

func TestWhatLibrariesSayIsNotShown(t *testing.T) {
	var shown bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&shown)
	p := start(t, "localnet")
	p.Stdout.WaitFor(t, "node 2 got")
	p.Stdout.WaitFor(t, "node 3 got")
	log.Print("failed to increase a buffer")
	p.End()
	p.WantExit(exitDone)
	if shown.Len() > 0 {
		t.Errorf("it is shown: %s", shown.String())
	}
	if log.Print("after it"); !strings.HasSuffix(shown.String(), " after it\n") {
		t.Errorf("afterwards there is %q", shown.String())
	}
}
