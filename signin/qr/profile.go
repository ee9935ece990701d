package qr

// Profile picks the cryptography of a secure channel. Both devices must use the
// same one; only the generation can be read from a code.
type Profile int

const (
	// Seed is the text of MSC4108 as of April 2024: one key for both directions.
	// No client is known to speak it.
	Seed Profile = iota + 1
	// Deployed is what clients speak in Gen2024 (vodozemac, and with it the Rust
	// and JavaScript SDKs): HKDF-SHA512 and a key for each direction.
	Deployed
	// MSC4388 is the text of MSC4388: HPKE in base mode, with a response context
	// made as in RFC 9458.
	MSC4388
	// MSC4388Vodozemac is MSC4388 with the two labels that vodozemac uses in
	// place of the proposal's: one for the response context, one for the check
	// code, which holds the keys in base64.
	MSC4388Vodozemac
)

// Generation is the generation that the profile belongs to, 0 if there is no such
// profile.
func (p Profile) Generation() Generation {
	switch p {
	case Seed, Deployed:
		return Gen2024
	case MSC4388, MSC4388Vodozemac:
		return Gen2025
	}
	return 0
}

// ProfileOf is the profile to speak when only the generation is known: Deployed,
// or MSC4388.
func ProfileOf(g Generation) Profile {
	if g == Gen2025 {
		return MSC4388
	}
	return Deployed
}
