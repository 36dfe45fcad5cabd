package transport

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"
)

// certificateName is the one DNS name of every certificate in this network.
const certificateName = "dark.fi"

// certificateNameDER is the name as it stands among a certificate's alternative
// names: tag 2 for a DNS name, the length, the text.
const certificateNameDER = "\x82\x07" + certificateName

// newCertificate makes a key and a certificate for it that looks like those of
// all other nodes, whatever they are written in.
func newCertificate() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a TLS key: %w", err)
	}
	template := &x509.Certificate{
		// Without a serial number it gets a random one of 20 bytes.
		Subject:     pkix.Name{CommonName: "rcgen self signed cert"},
		NotBefore:   time.Date(1975, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:    time.Date(4096, time.January, 1, 0, 0, 0, 0, time.UTC),
		DNSNames:    []string{certificateName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a TLS certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}

// checkCertificate says whether a peer may show this certificate. Its key has to
// be Ed25519, with which the handshake then has to be signed, and its only
// alternative name the DNS name dark.fi, byte for byte.
func checkCertificate(cert *x509.Certificate) error {
	if _, ok := cert.PublicKey.(ed25519.PublicKey); !ok {
		return fmt.Errorf("%w: its key is %s, not Ed25519", ErrCertificate, cert.PublicKeyAlgorithm)
	}
	names, err := alternativeNames(cert)
	if err != nil {
		return fmt.Errorf("%w: its alternative names cannot be read: %w", ErrCertificate, err)
	}
	if len(names) != 1 {
		return fmt.Errorf("%w: it has %d alternative names, not one", ErrCertificate, len(names))
	}
	if string(names[0].FullBytes) != certificateNameDER {
		return fmt.Errorf("%w: its name is not the DNS name %s", ErrCertificate, certificateName)
	}
	return nil
}

// alternativeNames returns the names in the subject alternative name extension,
// of whatever kind they are: x509 leaves out kinds it has no field for.
func alternativeNames(cert *x509.Certificate) ([]asn1.RawValue, error) {
	for _, extension := range cert.Extensions {
		if extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			var names []asn1.RawValue
			_, err := asn1.Unmarshal(extension.Value, &names)
			return names, err
		}
	}
	return nil, nil
}
