package jsonrpc

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A browser lets any web page make requests to this machine. Three facts about such requests cannot
// be forged by the page, and each alone is enough to refuse:
//
//   - Host names the site the page believes to talk to. Names other than our own are a page that
//     has pointed its own name at our address (DNS rebinding).
//   - Origin names the site the page came from; browsers send it with every cross-site post. We
//     serve no pages.
//   - Sec-Fetch-Site says the same in newer browsers.
//
// Programs that are no browsers send only Host.

// isForeign tells whether a browser may have made the request on behalf of a web page. The
// configured name is the host of the listen address.
func isForeign(r *http.Request, configured string) bool {
	if !isOwnHost(r, configured) {
		return true
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" || u.Host != r.Host {
			return true
		}
	}
	return slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(site string) bool {
		return site != "same-origin" && site != "none"
	})
}

// isOwnHost tells whether the Host of r, its port aside, is localhost, a loopback address, the
// configured name, or the very address the connection was made to: rebinding needs a name, so an
// address in figures is safe when it is ours.
func isOwnHost(r *http.Request, configured string) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(host, "localhost") || host != "" && strings.EqualFold(host, configured)
	}
	if ip.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap() == ip
}

// takesContent tells whether a body may have that Content-Type. What curl sends by default is
// taken, and so is none; what an HTML form can send with the body unescaped is not.
func takesContent(header string) bool {
	if header == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && (kind == "application/json" || kind == "application/x-www-form-urlencoded")
}
