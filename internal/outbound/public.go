package outbound

import "net/netip"

// closed are the networks that are not public, or that lead to others by wrapping
// their addresses. The registries are IANA's for special-purpose addresses of IPv4
// and IPv6 (RFC 6890).
var closed = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private (RFC 1918)
	"100.64.0.0/10",   // between a provider and its customers (RFC 6598)
	"127.0.0.0/8",     // this machine
	"169.254.0.0/16",  // this link, and the metadata of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // assignments of protocols
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // measurements
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast

	"::/96",           // unspecified, this machine, and IPv4 in an old form
	"::ffff:0:0/96",   // IPv4 in the form that sockets use, unmapped before this list is asked
	"::ffff:0:0:0/96", // IPv4, translated
	"64:ff9b::/96",    // IPv4 behind NAT64
	"64:ff9b:1::/48",  // likewise, within one network
	"100::/64",        // discarded
	"100:0:0:1::/64",  // likewise
	"2001::/23",       // assignments of protocols: Teredo, ORCHID and others
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4
	"3fff::/20",       // documentation
	"5f00::/16",       // segment routing
	"fc00::/7",        // private
	"fe80::/10",       // this link
	"fec0::/10",       // this site, in an old form
	"ff00::/8",        // multicast
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, text := range list {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Public reports whether everybody may be led to the address.
func Public(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return false
	}
	for _, p := range closed {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}
