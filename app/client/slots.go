package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/p2p/session"
)

// slots are none where a daemon is too old to tell, or not allowed to.
func (d *daemon) slots(ctx context.Context) (slots []rpc.Slot, err error) {
	err = d.call(ctx, "p2p.slots", nil, &slots)
	if answer := (*jsonrpc.Error)(nil); errors.As(err, &answer) && answer.Code == jsonrpc.CodeMethodNotFound {
		return nil, nil
	}
	return slots, err
}

// printSlots says what becomes of the slots without a connection; those that do the
// same share a line.
func (c *cli) printSlots(slots []rpc.Slot) error {
	now := time.Now()
	var doings []string
	numbers := make(map[string][]int)
	for _, s := range slots {
		doing := slotLine(s, now)
		if numbers[doing] == nil && doing != "" {
			doings = append(doings, doing)
		}
		numbers[doing] = append(numbers[doing], s.Slot)
	}
	if len(doings) == 0 {
		return nil
	}
	if err := c.printf("\n%d of %s connected; the others:\n", len(numbers[""]), count(len(slots), "outbound slot")); err != nil {
		return err
	}
	var lines strings.Builder
	for _, doing := range doings {
		fmt.Fprintf(&lines, "%s\t%s\n", slotNames(numbers[doing]), doing)
	}
	return c.printTable(lines.String())
}

// slotNames is "slot 3" or "slots 0-2, 5".
func slotNames(numbers []int) string {
	var ranges []string
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		text := fmt.Sprint(numbers[i])
		if last > i {
			text += fmt.Sprint("-", numbers[last])
		}
		ranges = append(ranges, text)
		i = last + 1
	}
	if len(numbers) == 1 {
		return "slot " + ranges[0]
	}
	return "slots " + strings.Join(ranges, ", ")
}

// slotLine is what a slot is doing; nothing for one that is connected.
func slotLine(s rpc.Slot, now time.Time) string {
	since := age(s.Since, now)
	var doing string
	switch session.SlotState(s.State) {
	case session.SlotConnected:
		return ""
	case session.SlotSleeping:
		doing = "for " + since + " without an address to try: the search for peers goes on"
	case session.SlotWaiting:
		doing = "for " + since + " waiting to try again"
	case session.SlotConnecting:
		doing = "for " + since + " connecting to " + escape(cmp.Or(strings.TrimSuffix(s.Addr, "/"), "?"))
	default:
		doing = escape(s.State) + " for " + since
	}
	if s.Error != "" {
		doing += "; the last attempt failed: " + escape(s.Error)
	}
	return doing
}
