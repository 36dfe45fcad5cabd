// Package portmap asks the router of this machine to pass connections from outside
// on to the ports that a node listens on, by NAT-PMP or UPnP, whichever the router
// speaks.
//
// A Mapper keeps the mappings: it leases them for an hour, renews them at half of
// that, makes them anew when the router has forgotten them, looks for a router again
// when it has lost it, and removes them at its end. It tells by which addresses the
// node can then be reached.
//
// Neither protocol knows who it is talking to, so nothing is believed that need not
// be. Only the router that this machine sends its packets to is asked, where the
// system says which one that is, and else only machines of the network around; what
// it is asked for goes to the address that answered and nowhere else; answers are
// bounded in size, number and time; and an outside address that is none of the
// internet is told to nobody.
package portmap
