package transport_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"dchat/p2p/transport"
)

var (
	oidAlternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidOther            = asn1.ObjectIdentifier{1, 2, 3, 4}
)

// darkfi is a certificate that is to be accepted; changed is one that differs
// from it in one point.
func darkfi(t testing.TB) tls.Certificate { return changed(t, func(*x509.Certificate) {}) }

func changed(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, key, change)
}

func signed(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "anything"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"dark.fi"},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// names replaces the alternative names: with DNS names, or with names as they
// are encoded.
func names(dns ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = dns }
}

func encodedNames(critical bool, encoded string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		value := append([]byte{0x30, byte(len(encoded))}, encoded...)
		c.DNSNames, c.ExtraExtensions = nil, []pkix.Extension{{Id: oidAlternativeNames, Critical: critical, Value: value}}
	}
}

type certificateCase struct {
	name   string
	make   func(testing.TB) tls.Certificate
	accept bool
}

func certificateCases() []certificateCase {
	with := func(change func(*x509.Certificate)) func(testing.TB) tls.Certificate {
		return func(t testing.TB) tls.Certificate { return changed(t, change) }
	}
	const dns, other = "\x82\x07dark.fi", "\x88\x03\x2a\x03\x04" // other is a registered object identifier
	return []certificateCase{
		{"as it should be", darkfi, true},

		{"another name", with(names("example.com")), false},
		{"the name in capitals", with(names("DARK.FI")), false},
		{"a name below it", with(names("www.dark.fi")), false},
		{"the name with a final dot", with(names("dark.fi.")), false},
		{"the beginning of the name", with(names("dark.f")), false},
		{"the name twice", with(names("dark.fi", "dark.fi")), false},
		{"two names, the right one first", with(names("dark.fi", "example.com")), false},
		{"two names, the right one last", with(names("example.com", "dark.fi")), false},
		{"the name and an IP address", with(func(c *x509.Certificate) { c.IPAddresses = []net.IP{{127, 0, 0, 1}} }), false},
		{"the name and one of a kind unknown to Go, before it", with(encodedNames(false, other+dns)), false},
		{"the name and one of a kind unknown to Go, after it", with(encodedNames(false, dns+other)), false},
		{"only a name of a kind unknown to Go", with(encodedNames(false, other)), false},
		{"the name as an e-mail address", with(func(c *x509.Certificate) {
			c.DNSNames, c.EmailAddresses = nil, []string{"dark.fi"}
		}), false},
		{"the name as a URI", with(func(c *x509.Certificate) {
			c.DNSNames, c.URIs = nil, []*url.URL{{Path: "dark.fi"}}
		}), false},
		{"the name encoded in parts", with(encodedNames(false, "\xa2\x09\x16\x07dark.fi")), false},
		{"an empty list of names", with(encodedNames(false, "")), false},
		{"only a common name", with(func(c *x509.Certificate) {
			c.DNSNames, c.Subject.CommonName = nil, "dark.fi"
		}), false},

		{"an ECDSA key", func(t testing.TB) tls.Certificate {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return signed(t, key, func(*x509.Certificate) {})
		}, false},
		{"an RSA key", func(t testing.TB) tls.Certificate {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			return signed(t, key, func(*x509.Certificate) {})
		}, false},

		{"expired", with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), true},
		{"not yet valid", with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), true},
		{"a broken signature of its own", func(t testing.TB) tls.Certificate {
			c := darkfi(t)
			c.Certificate[0][len(c.Certificate[0])-1] ^= 1
			return c
		}, true},
		{"an extended key usage for something else", with(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}), true},
		{"a critical list of names", with(encodedNames(true, dns)), true},
		{"certificates after it", func(t testing.TB) tls.Certificate {
			c := darkfi(t)
			c.Certificate = append(c.Certificate, changed(t, names("example.com")).Certificate[0])
			return c
		}, true},
		{"60 kB of it", with(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: oidOther, Value: make([]byte, 60_000)}}
		}), true},
	}
}

func TestListenerChecksCertificates(t *testing.T) {
	for _, c := range certificateCases() {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := dialledByPeer(t, &tls.Config{Certificates: []tls.Certificate{c.make(t)}})
			checkVerdict(t, c.accept, ours, theirs)
		})
	}
}

func TestDiallerChecksCertificates(t *testing.T) {
	for _, c := range certificateCases() {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := dialledByUs(t, &tls.Config{
				Certificates: []tls.Certificate{c.make(t)},
				ClientAuth:   tls.RequireAnyClientCert,
			})
			checkVerdict(t, c.accept, ours, theirs)
		})
	}
}

// checkVerdict checks what both ends say of a handshake in which ours has seen
// a certificate.
func checkVerdict(t *testing.T, accept bool, ours, theirs error) {
	t.Helper()
	if accept {
		if ours != nil || theirs != nil {
			t.Errorf("got %v here and %v there, want it accepted", ours, theirs)
		}
		return
	}
	if !errors.Is(ours, transport.ErrCertificate) {
		t.Errorf("got %v, want %v", ours, transport.ErrCertificate)
	}
	if want := "remote error: tls: bad certificate"; theirs == nil || theirs.Error() != want {
		t.Errorf("the peer got %v, want %s", theirs, want)
	}
}

func TestOneCertificateServesAgain(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{darkfi(t)}}
	for range 2 {
		if ours, theirs := dialledByPeer(t, config); ours != nil || theirs != nil {
			t.Errorf("got %v here and %v there", ours, theirs)
		}
	}
}

func TestOurCertificate(t *testing.T) {
	cert := peerCertificates(t, transport.NewMem(), 1)[0]
	if len(cert.Raw) < 300 || len(cert.Raw) > 330 {
		t.Errorf("%d bytes, the reference's has 318", len(cert.Raw))
	}
	if n := len(cert.SerialNumber.Bytes()); n < 16 || n > 20 {
		t.Errorf("the serial number has %d bytes, want 20", n)
	}
	const name = "CN=rcgen self signed cert"
	if cert.Version != 3 || cert.Subject.String() != name || cert.Issuer.String() != name {
		t.Errorf("version %d, subject %s, issuer %s", cert.Version, cert.Subject, cert.Issuer)
	}
	if _, ok := cert.PublicKey.(ed25519.PublicKey); !ok || cert.SignatureAlgorithm != x509.PureEd25519 {
		t.Errorf("key %s, signature %s", cert.PublicKeyAlgorithm, cert.SignatureAlgorithm)
	}
	if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		t.Error(err)
	}
	if got, want := cert.NotBefore.Format(time.DateOnly)+" "+cert.NotAfter.Format(time.DateOnly), "1975-01-01 4096-01-01"; got != want {
		t.Errorf("valid %s, want %s", got, want)
	}
	if len(cert.Extensions) != 2 || len(cert.DNSNames) != 1 || cert.DNSNames[0] != "dark.fi" || len(cert.ExtKeyUsage) != 2 {
		t.Errorf("%d extensions, names %v, key usages %v", len(cert.Extensions), cert.DNSNames, cert.ExtKeyUsage)
	}
	for _, e := range cert.Extensions {
		if e.Critical {
			t.Errorf("extension %s is critical", e.Id)
		}
	}
}
