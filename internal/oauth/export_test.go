package oauth

// What other parts of the package do with clients, for the tests through HTTP.
var (
	FindClient = findClient
	UseClient  = useClient
)

// The limits on guessing, for the test of what they mean.
const (
	GuessesOfAll = guessesOfAll
	MaxPending   = maxPending
)
