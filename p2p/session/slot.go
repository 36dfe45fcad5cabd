package session

import (
	"time"

	"dchat/p2p/addr"
)

// SlotState is what an outbound slot is doing.
type SlotState string

// The states of a slot, in their order.
const (
	SlotSleeping   SlotState = "sleeping"   // there is no address to try; the search for peers will wake it
	SlotWaiting    SlotState = "waiting"    // there are addresses, to be tried a little later
	SlotConnecting SlotState = "connecting" // dialling, or shaking hands
	SlotConnected  SlotState = "connected"
)

// Slot is one place for an outbound connection.
type Slot struct {
	State   SlotState
	Since   time.Time // of the state
	Addr    addr.Addr // while connecting and connected
	Channel uint32    // the id of its channel, once its handshake is done; else 0
	Err     error     // why the last attempt failed; nil after a success
}
