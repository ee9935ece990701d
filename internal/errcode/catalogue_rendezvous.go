package errcode

// Rows of the rendezvous, where two devices meet to sign in one of them. Which
// form of a row is sent depends on the path by which the session was made, not on
// the configuration, so that each form is a row of its own.
var (
	StaleETag = row(Code{Key: "StaleETag", Name: "M_CONCURRENT_WRITE", Status: 412,
		Meaning: "The other device has written since the ETag in If-Match was current. The answer carries the current one. For sessions that were made by the stable path.",
		Client:  "Read the session, and decide anew what to write.",
		Source:  "MSC4108 of 2024, PUT of a rendezvous session"})
	StaleETagUnstable = row(Code{Key: "StaleETagUnstable", Name: "M_CONCURRENT_WRITE", Status: 412,
		Meaning: "As StaleETag, for sessions that were made by the unstable path.",
		Client:  "Read the session, and decide anew what to write.",
		Source:  "MSC4108 of 2024, Unstable prefix"})
	StaleSequence = row(Code{Key: "StaleSequence", Name: "M_CONCURRENT_WRITE", Status: 409,
		Meaning: "The other device has written since the sequence token was current.",
		Client:  "Read the session, and decide anew what to write.",
		Source:  "MSC4388, PUT of a rendezvous session"})
	StaleSequenceUnstable = row(Code{Key: "StaleSequenceUnstable", Name: "M_CONCURRENT_WRITE", Status: 409,
		Meaning: "As StaleSequence, by the unstable path.",
		Client:  "Read the session, and decide anew what to write.",
		Source:  "MSC4388, Unstable prefix"})
	RendezvousLimit = row(Code{Key: "RendezvousLimit", Name: "M_UNKNOWN", Status: 429, Members: []string{"retry_after_ms"},
		Meaning: "Too many requests to the rendezvous of MSC4108, too many sessions at once, or too many writes to one session. The Retry-After header says how many seconds to wait.",
		Client:  "Wait for Retry-After, then try again.",
		Admin:   "The budgets are `rate_limits` in the configuration.",
		Source:  "MSC4108 of 2024, rate limiting"})
)
