package p2p

import (
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/session"
	"dchat/p2p/wire"
)

// Settings is everything a node can be told. Start from DefaultSettings and
// change what should differ; the zero value is not valid. New copies it.
type Settings struct {
	// AppName and AppVersion say who may talk to whom: a peer must have the same
	// name and the same major and minor version. Defaults: "dchatd", 0.4.1.
	AppName    string
	AppVersion wire.Semver

	// NodeID is told to every peer. Empty, the default, tells nothing, which is
	// better for privacy. At most 256 bytes.
	NodeID string

	// MagicBytes begin every frame: nodes with other ones are on another network.
	// Default d9 ef b6 7d.
	MagicBytes [4]byte

	// Inbound are the addresses to listen on; none means no incoming connections.
	// Port 0 takes any free port. On unix:///absolute/path only programs of the same
	// user can connect; a socket that a dead program left there is replaced.
	Inbound []addr.Addr

	// ExternalAddrs are the addresses by which others reach this node, at most 10, and
	// none of them a unix socket.
	// Port 0 stands for the one that is listened on, by the same scheme, and [::] for
	// our own IPv6 address, once it is known from a connection or from what peers of
	// three networks say. A peer that has dialled us and that we have dialled as well is
	// recognised by these, and is then sent each message once.
	ExternalAddrs []addr.Addr

	// PortMapping asks the router in front of this machine, by NAT-PMP or UPnP, to pass
	// connections from outside on to the IPv4 addresses and to the ports that Inbound
	// takes, and to stop doing so when the node stops. The addresses at which it does are
	// told to peers after ExternalAddrs, as long as there are no more than 10. The router,
	// and whoever may look at its settings, learns that this node is here, and everybody
	// who is told of it how it is reached: also when it dials only through proxies that
	// hide where it is. Default false.
	PortMapping bool

	// Peers are connected to for as long as the node runs.
	Peers []addr.Addr

	// Seeds are asked for addresses while an outbound slot finds none to dial.
	Seeds []addr.Addr

	// ActiveProfiles are the schemes this node dials. MixedProfiles are schemes
	// that it reaches through an active one: tcp through tor, nym or socks5, tor
	// through socks5, and so with +tls. A mixed scheme that one of them carries is never
	// dialled directly, also when it is active itself, nor is a name of it looked up here.
	ActiveProfiles []string
	MixedProfiles  []string

	// Profiles holds the time limits of each scheme. A scheme that is not in it
	// runs on those of tcp.
	Profiles map[string]Profile

	// OutboundConnections is the number of connections to keep to addresses that
	// were discovered: 0 to 1024, default 8.
	OutboundConnections int

	// InboundConnections is how many connections each inbound address takes at
	// most, those in the handshake included: 0 to 65536, default 8.
	InboundConnections int

	// Localnet makes private and loopback addresses acceptable. Default false.
	Localnet bool

	// Datastore is the node's directory and Hostlist its file of known addresses;
	// empty keeps nothing on disk.
	Datastore string
	Hostlist  string

	// GetAddrsMax is how many addresses are asked of a peer: 0 to 1000; nil, the
	// default, stands for OutboundConnections.
	GetAddrsMax *uint32

	// DiscoveryCooloff and DiscoveryAttempt pace the search for peers while an
	// outbound slot is empty: the pause between two attempts doubles from 1 s up to
	// DiscoveryCooloff for as long as nothing new is heard, and peers are asked once
	// in DiscoveryAttempt at most. Defaults 30 s and 5 s.
	DiscoveryCooloff time.Duration
	DiscoveryAttempt time.Duration

	// RefineryInterval is how long after the start addresses that were only heard of
	// are first tried, and the time from four of them to the next four once the node
	// knows enough that answer; until then it tries one a second. Default 15 s.
	RefineryInterval time.Duration

	// KnownPeerPercent is the share of outbound slots given to addresses that
	// have answered before: 0 to 100, of which at most 80 is used. Default 70.
	KnownPeerPercent int

	// DisableGreys never connects to addresses that were only heard of.
	DisableGreys bool

	// TimeWithNoConnections is how long the node may be without any connection
	// before it doubts its own network rather than its peers. Default 30 s.
	TimeWithNoConnections time.Duration

	// BanPolicy says what becomes of a peer that breaks the protocol.
	// Default BanStrict.
	BanPolicy BanPolicy

	// BanTime is how long the first ban of a peer lasts; each further one lasts
	// twice as long. 1 s to 30 days, default one day.
	BanTime time.Duration

	// DialNames lets addresses that peers told be dialled when they are DNS names:
	// whoever owns a name decides whom this node connects to. Default false.
	DialNames bool

	// SeedNode makes the node one that others ask for addresses: what it hears of is
	// tried at once, and what has answered is tried again every two minutes.
	// Default false.
	SeedNode bool

	// Blacklist names hosts this node has nothing to do with.
	Blacklist []BlacklistEntry

	// TorSocks5Proxy, NymSocks5Proxy and I2PSocks5Proxy are the proxies through
	// which those networks are reached, each socks5://[user:password@]host:port. Tor's
	// and Nym's, when they are not zero, carry mixed schemes over socks5. The tor scheme goes
	// through Tor's too, or without one through socks5://127.0.0.1:9050/; the i2p
	// scheme through I2P's, which is socks5://127.0.0.1:4447/ by default. Tor's and I2P's are
	// told, without a user, a made-up one for each destination, so that one network path
	// does not serve two of them.
	TorSocks5Proxy addr.Addr
	NymSocks5Proxy addr.Addr
	I2PSocks5Proxy addr.Addr

	// MaxMessage is the largest payload, in bytes, taken for a command that has
	// no limit of its own: 1 KiB to 64 MiB, default 4 MiB.
	MaxMessage int

	// SendQueue is how many bytes may wait to be sent to one peer: 64 KiB to
	// 64 MiB, default 1 MiB. A peer whose queue is full is sent nothing more
	// until it has read something.
	SendQueue int

	// WriteTimeout is how long a peer may take to accept 32 KiB before it is cut:
	// 1 s to 1 min, default 10 s.
	WriteTimeout time.Duration

	// HideFeatures keeps the names of the extensions this node speaks out of its
	// handshake, so that it cannot be told from a stock node; the extensions are
	// then not spoken, and a connection to ourselves through a router that translates
	// addresses is not recognised. Default false.
	HideFeatures bool
}

// Profile holds the time limits of one scheme.
type Profile = session.Profile

// BanPolicy says what becomes of a peer that breaks the protocol.
type BanPolicy string

// The ban policies. Both close the connection; strict also refuses the peer
// afterwards.
const (
	BanStrict  BanPolicy = "strict"
	BanRelaxed BanPolicy = "relaxed"
)

// BlacklistEntry names what is refused at one host.
type BlacklistEntry = hosts.BlacklistEntry

// DefaultSettings returns a node that listens nowhere and knows nobody, and is
// valid as it is.
func DefaultSettings() Settings {
	return Settings{
		AppName:               "dchatd",
		AppVersion:            wire.Semver{Minor: 4, Patch: 1},
		MagicBytes:            wire.DefaultMagic,
		ActiveProfiles:        []string{addr.TCP, addr.TCPTLS},
		Profiles:              map[string]Profile{addr.TCP: DefaultProfile(addr.TCP), addr.TCPTLS: DefaultProfile(addr.TCPTLS)},
		OutboundConnections:   8,
		InboundConnections:    8,
		DiscoveryCooloff:      30 * time.Second,
		DiscoveryAttempt:      5 * time.Second,
		RefineryInterval:      15 * time.Second,
		KnownPeerPercent:      70,
		TimeWithNoConnections: 30 * time.Second,
		BanPolicy:             BanStrict,
		BanTime:               24 * time.Hour,
		I2PSocks5Proxy:        addr.MustParse("socks5://127.0.0.1:4447/"),
		MaxMessage:            4 << 20,
		SendQueue:             1 << 20,
		WriteTimeout:          10 * time.Second,
	}
}

// DefaultProfile returns the time limits of a scheme that is configured without
// any: connect 15 s, handshake 10 s and heartbeat 30 s for tcp, tcp+tls and
// quic; 65 s, 55 s and 90 s for all others, which are slower networks.
func DefaultProfile(scheme string) Profile {
	switch scheme {
	case addr.TCP, addr.TCPTLS, addr.QUIC:
		return session.DefaultProfile()
	default:
		return Profile{ConnectTimeout: 65 * time.Second, HandshakeTimeout: 55 * time.Second, HeartbeatInterval: 90 * time.Second}
	}
}

// Routes returns how addresses are dialled under these settings.
func (s *Settings) Routes() session.Routes {
	return session.Routes{Active: s.ActiveProfiles, Mixed: s.MixedProfiles, TorProxy: s.TorSocks5Proxy, NymProxy: s.NymSocks5Proxy}
}

// Profile returns the time limits of a scheme: those of Profiles, or those of
// tcp where there are none.
func (s *Settings) Profile(scheme string) Profile {
	if p, ok := s.Profiles[scheme]; ok {
		return p
	}
	return session.DefaultProfile()
}
