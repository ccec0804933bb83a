package auth

// Token is an access token that was judged: what it stands for, and what its holder
// has shown with it.
type Token struct {
	Grant
	Named   []string // the credential identifiers that came with it; nil: none did
	Bound   bool     // to a key, whose holder sent the request
	Genuine bool     // it was given to a wallet whose maker, whom we trust, answers for it
}
