package hosts

// Colour is the list an address is on. An address is on one list at most.
type Colour uint8

// The lists, and how many addresses each holds at most.
const (
	Grey  Colour = iota // heard of, not tried yet, or gone since: 2,000
	White               // answered when it was tried: 5,000
	Gold                // has been connected to: 5,000
	Dark                // valid, but nothing this node can dial; only passed on, for a day: 1,000
	Black               // banned, for a time: 10,000
	colours
)

var colourNames = [colours]string{"grey", "white", "gold", "dark", "black"}

var capacity = [colours]int{Grey: 2000, White: 5000, Gold: 5000, Dark: 1000, Black: 10000}

// String returns the colour's name as it stands in the host list file.
func (c Colour) String() string { return colourNames[c] }

func colourNamed(name string) (Colour, bool) {
	for c, n := range colourNames {
		if n == name {
			return Colour(c), true
		}
	}
	return 0, false
}
