// Package settingsfx reads the configuration and provides it to the parts of the application.
//
// Load puts the layers on one another: the defaults, the TOML file, environment variables
// and flags, the later ones over the earlier ones, key by key; a list replaces a list. The result
// is decoded strictly, once: what is unknown, of the wrong type or out of range is an
// error, and all errors come at once, each with the place where it stands. Load is called before
// the application is built, so that a faulty configuration starts nothing.
//
// A key such as net.outbound_connections is set by the variable
// DCHAT_NET__OUTBOUND_CONNECTIONS: the tables are separated by two underscores, and "+" in the name
// of a profile is one. A list is written with commas, or as in TOML; an empty variable
// counts as not set.
//
// Module provides p2p.Settings, chat.Settings, rpcfx.Settings and logfx.Settings, and needs nothing. Each
// can be replaced on its own at the root of the application, and without a file, as in a test,
// they can be supplied in place of the module:
//
//	fx.Replace(settings)                              // over settingsfx.Module
//	fx.Supply(p2p.DefaultSettings(), chat.DefaultSettings(), …) // instead of it
//
// LoadLilith does the same for the seed daemon, whose file has a table for each network, and whose
// variables begin with LILITH_; its result is supplied as it is. The seeds of the network "my-net" are
// LILITH_NETWORK__MY_NET__SEEDS.
//
// No other package of this module imports koanf.
package settingsfx
