package nats

import "time"

// DialPinging is Dial with another interval of pings, because tests have no time.
func DialPinging(o Options, ping time.Duration) (*Bus, error) {
	o.ping = ping
	return Dial(o)
}
