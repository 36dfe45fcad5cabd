package p2p_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// behaviour is how a node behaves, rule by rule, and the test that shows it.
var behaviour = []struct{ rule, test string }{
	// Life cycle.
	{"a node does nothing before Start", "p2p.TestL3StopBeforeStartAndTwiceDoNothing"},
	{"an address that cannot be listened on makes Start fail and leaves nothing behind", "p2p.TestL1AFailedStartLeavesNothingBehind"},
	{"a node that listens nowhere says so and goes on", "p2p.TestANodeThatListensNowhereSaysSo"},
	{"Start returns without waiting for connections, whatever happens to names", "p2p.TestN7ANodeStartsAndConnectsWhateverHappensToNames"},
	{"Stop closes every channel, those in the handshake too", "p2p.TestL4StopWithPeersOfEveryKind"},
	{"a node that stops takes nothing new", "p2p.TestANodeThatIsStoppingTakesNothingNew"},
	{"who is connected is saved as gold", "p2p.TestWhoIsConnectedIsSavedAsGoldAndFoundAgain"},
	{"after Stop nothing is left", "p2p.TestL5StartAndStopAHundredTimes"},
	{"Stop twice, before Start and during Start is safe", "p2p.TestL2StopDuringStartMakesItFail"},
	{"the RPC is up before the network and stopped before it", "cmd/dchatd.TestSignalsStopIt"},
	{"a second SIGINT ends the process at once", "cmd/dchatd.TestSecondInterruptAborts"},
	{"SIGHUP applies slots, peers, seeds, the blacklist and the log level; a broken file changes nothing", "app.TestL6AProcessReloadsAtSIGHUPAndEndsAtSIGTERM"},

	// Sessions.
	{"protocols are attached by the kind of session", "p2p.TestAnExtensionIsSpokenOnlyToThoseThatAdvertiseIt"},
	{"broadcasts go to peers, not to seeds or what is refined", "p2p.TestBroadcastCountsThoseItWasQueuedFor"},
	{"a failure while a channel is set up ends it", "p2p.TestAProtocolThatFailsEndsItsChannelOnly"},
	{"two nodes that dial each other get every text once", "chat.TestTwoNodesThatDialEachOtherSayAndHearEachTextOnce"},
	{"a stock node's text on two channels is delivered once", "chat.TestWhatAPeerSaysOnTwoConnectionsIsDeliveredAsOftenAsItSaysIt"},
	{"an inbound address that is full accepts and closes at once", "p2p.TestInboundFullIsRefusedAtOnce"},
	{"one host cannot take every slot", "p2p.TestR1OneHostDoesNotTakeAllSlots"},
	{"a refused remote is dropped before the handshake", "p2p.TestB6ABannedPeerIsClosedBeforeTLS"},
	{"a slot dials what is known, and is gold once the handshake is done", "p2p.TestASlotDialsAnAddressAsSoonAsItIsHeardOf"},
	{"a failed dial suspends the address", "p2p.TestAFailedDialLeavesTheAddressToTheRefinery"},
	{"a handshake that fails is a dial that failed, and both have one deadline", "p2p.TestH11ATarpitHoldsASlotForTheConnectTimeoutAtMost"},
	{"no address is dialled by two slots", "p2p.TestTwoSlotsNeverDialOneAddress"},
	{"a peer that left is grey, and dialled again after a pause", "p2p.TestAPeerThatLeavesIsDialledAgainAfterAPause"},
	{"a configured peer is retried for ever, with a back-off", "p2p.TestAPeerThatIsAwayIsTriedForEverAtGrowingIntervals"},
	{"a peer that is also a seed is refused", "p2p.TestEveryFaultOfTheSettingsIsNamed"},
	{"all seeds are asked at once", "p2p.TestAllSeedsAreAskedAtTheSameTime"},
	{"a seed is told our addresses, asked, and left with its answer", "p2p.TestASeedIsToldOurAddressAskedAndLeftWithItsAnswer"},
	{"an answer before the question counts", "p2p.TestAnAnswerBeforeTheQuestionCounts"},
	{"a seed that sends no addresses is left after the handshake timeout", "p2p.TestASeedThatSendsNoAddressesIsLeftAfterTheHandshakeTimeout"},
	{"a direct channel is shared and ends with its last user", "p2p.TestADirectChannelIsSharedAndEndsWithItsLastUser"},
	{"direct refuses seeds, our own addresses and what cannot be dialled", "p2p.TestWhatCannotBeConnectedToDirectly"},
	{"direct looks for peers when asked to", "p2p.TestANodeWithoutSlotsLooksForPeersWhenAskedTo"},

	// Protocols.
	{"a ping at the start and an interval after each pong", "p2p.TestTheNextPingComesAnIntervalAfterThePong"},
	{"a pong may take the connect timeout", "p2p.TestT5APongMayTakeTheConnectTimeoutAndNoLonger"},
	{"no pong or a wrong one ends the channel, without a ban", "p2p.TestT5AWrongPongEndsTheChannelAndAnUnaskedOneDoesNot"},
	{"peers are asked for as many addresses as are configured, within bounds", "p2p.TestFewAddressesAreAskedForWhateverIsConfigured"},
	{"a question is answered gold first, then white, then others; never grey", "p2p/hosts.TestAnswersAsRecorded"},
	{"an answer has twice as many as were asked for at most, and is no longer than peers take", "p2p.TestAnAnswerIsNoLongerThanPeersTake"},
	{"no more is taken of an answer", "p2p.TestMoreThanAnAnswerMayHaveIsNotTaken"},

	// Host lists.
	{"lists are bounded", "p2p/hosts.TestListsAreLimitedAsRecorded"},
	{"the filter decides what comes on a list", "p2p/hosts.TestFilterAsRecorded"},
	{"what is on a list already keeps its time", "p2p/hosts.TestFilterOfKnownAddressesAsRecorded"},
	{"one peer adds little", "p2p/hosts.TestAPeerTellsAHundredBetweenTwoQuestions"},
	{"times from the future or long ago are not believed", "p2p/hosts.TestA10Times"},
	{"dark addresses go after a day", "p2p/hosts.TestV27DarkAddressesAgeAlsoWhenToldFromTheFuture"},
	{"an address in use is in one state", "p2p/hosts.TestTransitions"},
	{"addresses in use are bounded", "p2p/hosts.TestTheRegistryIsBounded"},
	{"slots take gold, then white, then grey", "p2p/hosts.TestSelectTakesGoldThenWhiteThenGrey"},
	{"the file is read and written as recorded", "p2p/hosts.TestFileAsRecorded"},
	{"the file is saved every few minutes too", "p2p.TestTheHostListIsSavedEveryTenMinutes"},
	{"the file is replaced as a whole or not at all", "p2p/hosts.TestD1KilledWhileSaving"},
	{"the blacklist compares scheme, host and port", "p2p/hosts.TestBlacklistAsRecorded"},

	// Discovery and refinery.
	{"peers are asked twice, then the seeds", "p2p.TestPeersAreAskedTwiceBeforeTheSeedsAre"},
	{"the search backs off", "p2p.TestSeedsAreAskedAgainAtGrowingIntervalsWhileNothingIsFound"},
	{"it begins with the seeds", "p2p.TestASearchBeginsWithTheSeeds"},
	{"with all slots filled nobody is asked", "p2p.TestANodeWithAllItsSlotsFilledAsksNobody"},
	{"an address that answers becomes white; the connection is a handshake only", "p2p.TestAnAddressThatAnswersBecomesWhite"},
	{"one that does not is forgotten", "p2p.TestAnAddressThatNeverAnsweredIsForgotten"},
	{"four are tried at a time", "p2p.TestFourAddressesAreTriedAtATimeTheFreshOnesFirst"},
	{"the first 15 s after the start, and then as many as are needed", "p2p.TestTheRefineryIsCalmWhenEnoughIsKnown"},
	{"the refinery pauses while there is no connection", "p2p.TestTheRefineryPausesWhileThereIsNoConnection"},
	{"a connection of its own counts", "p2p.TestAConnectionOfTheRefineryIsOneToo"},
	{"suspended addresses are freed then", "p2p.TestSuspendedAddressesAreFreedWhenTheFaultMayBeOurs"},
	{"a seed tries what it hears at once, and again every two minutes", "p2p.TestASeedNodeTriesWhatItHearsAtOnceAndAgainLater"},
	{"a seed takes many connections", "app/lilith.TestMoreConnectionsAreTakenThanANodeTakes"},

	// Bans.
	{"what is an offence, and what is not; strict and relaxed; a ban of a host ends", "p2p.TestWhoBreaksTheProtocolIsBannedWithItsHostWhereThePolicyIsStrict"},
	{"who is dialled is banned by host and port", "p2p.TestAPeerThatWeDialledIsBannedByHostAndPort"},
	{"configured peers are never banned", "p2p.TestAConfiguredPeerIsNeverBannedOnlyCutAndTriedAgain"},
	{"neighbours of an offender stay", "p2p.TestB1TheNeighboursOfAnOffenderStay"},
	{"peers on unix sockets are never banned", "p2p.TestUnixPeersAreNotBanned"},
	{"a ban is longer each time, and ends", "p2p/hosts.TestB2BansGrowAndEnd"},
	{"bans are of this run", "p2p/hosts.TestBansAreNotSaved"},
	{"another version or network is left alone for a time", "p2p.TestANodeThatIsNoneOfOursIsLeftAloneForATime"},
	{"bans are listed and lifted over RPC", "chat/rpc.TestBansAreListedAndLifted"},

	// Ourselves.
	{"our IPv6 address is what several peers that we chose say", "p2p.TestOurOwnIPv6AddressIsWhatSeveralPeersThatWeChoseSay"},
	{"those who come to us do not decide what it is", "p2p.TestA11InboundPeersDoNotDecideWhatOurAddressIs"},
	{"an address with port 0 has the port that is listened on", "p2p.TestAnExternalAddressWithPort0HasThePortThatIsListenedOn"},
	{"a connection to ourselves is recognised, not banned and not tried again", "p2p.TestH7AConnectionToOurselvesIsRecognisedAndNotTriedAgain"},

	// Events.
	{"every event has the info that tools know", "chat/rpc.TestEveryEventHasTheInfoThatToolsKnow"},
	{"there are none until they are switched on", "p2p/dnet.TestNothingIsEmittedUntilSwitchedOnAndWatched"},
	{"a slow watcher loses events and slows nobody", "p2p/dnet.TestASlowWatcherLosesEventsAndIsToldHowMany"},
	{"odd input while dialling is handled as recorded", "p2p.TestFrameHandlingDialling"},
	{"the blacklist applies to who connects", "p2p.TestTheBlacklistAppliesToWhoConnectsAsRecorded"},
	{"recorded sessions run as recorded", "p2p.TestTranscripts"},
}

func TestEveryRuleOfBehaviourHasItsTest(t *testing.T) {
	tests := make(map[string]bool)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel("..", filepath.Dir(path))
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[filepath.ToSlash(dir)+"."+f.Name.Name] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range behaviour {
		if !tests[b.test] {
			t.Errorf("there is no %s, which is to show: %s", b.test, b.rule)
		}
	}
}
