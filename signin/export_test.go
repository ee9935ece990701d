package signin

// HomeserverForTest is a homeserver that has been found, with nothing but the device
// grant.
func (c *Client) HomeserverForTest(base string) *Homeserver {
	return &Homeserver{BaseURL: base, client: c, Metadata: &Metadata{DeviceAuthorizationEndpoint: base, GrantTypesSupported: []string{GrantDevice}}}
}
