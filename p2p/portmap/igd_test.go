package portmap

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// igd is a router that speaks UPnP, on one address of this machine.
type igd struct {
	http *httptest.Server
	ssdp net.PacketConn

	served   sync.WaitGroup
	mu       sync.Mutex
	services []string          // types of its services, each at /control/ and its number
	outside  []string          // the address of each
	has      map[string]string // what "external port/protocol" is passed on to: "client:port lease"
	fault    func(action string, args map[string]string) int
	answer   func(packet string) string               // instead of the right one
	serve    func(http.ResponseWriter, *http.Request) // instead of the right one
	asked    []string
}

const (
	ip1  = "urn:schemas-upnp-org:service:WANIPConnection:1"
	ip2  = "urn:schemas-upnp-org:service:WANIPConnection:2"
	ppp1 = "urn:schemas-upnp-org:service:WANPPPConnection:1"
)

// newIGD starts a router, which ends with the test.
func newIGD(t *testing.T) *igd {
	t.Helper()
	r, err := startIGD("127.0.0.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

// startIGD starts a router at an address. Searches come to ssdp, or to a socket of its
// own when that is nil.
func startIGD(ip string, ssdp net.PacketConn) (*igd, error) {
	r := &igd{ssdp: ssdp, services: []string{ip1}, outside: []string{"51.1.2.3"}, has: map[string]string{}}
	l, err := net.Listen("tcp4", ip+":0")
	if err != nil {
		return nil, err
	}
	if ssdp == nil {
		if r.ssdp, err = net.ListenPacket("udp4", ip+":0"); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	r.http = httptest.NewUnstartedServer(http.HandlerFunc(r.handle))
	_ = r.http.Listener.Close()
	r.http.Listener = l
	r.http.Start()
	r.served.Go(func() { r.answerSearches(r.ssdp) })
	return r, nil
}

func (r *igd) close() {
	r.http.Close()
	_ = r.ssdp.Close()
	r.served.Wait()
}

func (r *igd) addr() netip.AddrPort { return netip.MustParseAddrPort(r.http.Listener.Addr().String()) }

// search is where it is looked for.
func (r *igd) search() netip.AddrPort { return netip.MustParseAddrPort(r.ssdp.LocalAddr().String()) }

func (r *igd) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *igd) answerSearches(conn net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if text := r.answerTo(string(buf[:n])); text != "" {
			_, _ = conn.WriteTo([]byte(text), from)
		}
	}
}

func (r *igd) answerTo(packet string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answer != nil {
		return r.answer(packet)
	}
	const device = "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
	if !strings.HasPrefix(packet, "M-SEARCH * HTTP/1.1\r\n") || !strings.Contains(packet, device) || !strings.Contains(packet, "\r\nMAN: \"ssdp:discover\"\r\n") {
		return ""
	}
	return "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\n" + device + "EXT:\r\nSERVER: x\r\nLOCATION: http://" + r.addr().String() + "/root.xml\r\n\r\n"
}

func (r *igd) handle(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.serve != nil:
		r.serve(w, request)
	case request.URL.Path == "/root.xml":
		_, _ = io.WriteString(w, r.description())
	default:
		r.act(w, request)
	}
}

// description has the services where routers have them: in a device within a device.
func (r *igd) description() string {
	var services strings.Builder
	for i, service := range r.services {
		fmt.Fprintf(&services, "<service><serviceType>%s</serviceType><serviceId>x</serviceId><controlURL>/control/%d</controlURL></service>", service, i)
	}
	return `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>` +
		`<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device><deviceType>WANDevice</deviceType>` +
		`<deviceList><device><serviceList>` + services.String() + `</serviceList></device></deviceList></device></deviceList></device></root>`
}

// act does what is asked of a service.
func (r *igd) act(w http.ResponseWriter, request *http.Request) {
	var number int
	_, err := fmt.Sscanf(request.URL.Path, "/control/%d", &number)
	service, action, _ := strings.Cut(strings.Trim(request.Header.Get("SOAPAction"), `"`), "#")
	args, failed := arguments(request.Body)
	if err != nil || failed != nil || number >= len(r.services) || service != r.services[number] {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	r.asked = append(r.asked, action)
	code, result := r.result(number, action, args)
	body := fmt.Sprintf(`<u:%sResponse xmlns:u="%s">%s</u:%sResponse>`, action, service, result, action)
	if code != 0 {
		w.WriteHeader(http.StatusInternalServerError)
		body = fmt.Sprintf(`<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0">`+
			`<errorCode>%d</errorCode><errorDescription>no</errorDescription></UPnPError></detail></s:Fault>`, code)
	}
	fmt.Fprintf(w, `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>`, body)
}

func (r *igd) result(number int, action string, args map[string]string) (fault int, result string) {
	if r.fault != nil {
		if code := r.fault(action, args); code != 0 {
			return code, ""
		}
	}
	key := args["NewExternalPort"] + "/" + args["NewProtocol"]
	switch action {
	case "GetExternalIPAddress":
		return 0, "<NewExternalIPAddress>" + r.outside[number] + "</NewExternalIPAddress>"
	case "AddPortMapping":
		r.has[key] = args["NewInternalClient"] + ":" + args["NewInternalPort"] + " " + args["NewLeaseDuration"]
		return 0, ""
	case "DeletePortMapping":
		if r.has[key] == "" {
			return noSuchEntry, ""
		}
		delete(r.has, key)
		return 0, ""
	case "GetSpecificPortMappingEntry":
		if r.has[key] == "" {
			return noSuchEntry, ""
		}
		client, rest, _ := strings.Cut(r.has[key], ":")
		port, lease, _ := strings.Cut(rest, " ")
		return 0, "<NewInternalPort>" + port + "</NewInternalPort><NewInternalClient>" + client + "</NewInternalClient><NewEnabled>1</NewEnabled><NewPortMappingDescription></NewPortMappingDescription><NewLeaseDuration>" + lease + "</NewLeaseDuration>"
	}
	return 401, ""
}

// arguments reads those of an action.
func arguments(body io.Reader) (map[string]string, error) {
	var envelope struct {
		Body struct {
			Action struct {
				Args []struct {
					XMLName xml.Name
					Value   string `xml:",chardata"`
				} `xml:",any"`
			} `xml:",any"`
		} `xml:"Body"`
	}
	err := xml.NewDecoder(body).Decode(&envelope)
	args := map[string]string{}
	for _, a := range envelope.Body.Action.Args {
		args[a.XMLName.Local] = a.Value
	}
	return args, err
}
