package radius

// clientReserve is the part of the places that is kept for clients which hold
// less than that part.
const clientReserve = 8

// shares divides a number of places among clients, so that no client can keep out
// the others. It is not safe for concurrent use.
type shares struct {
	places   int
	taken    int
	byClient map[*Client]int
}

func newShares(places int) shares {
	return shares{places: places, byClient: make(map[*Client]int)}
}

// take takes a place for the client, if it may have one more.
func (s *shares) take(client *Client) bool {
	free, reserve := s.places-s.taken, s.places/clientReserve
	if free <= 0 || free <= reserve && s.byClient[client] >= reserve && reserve > 0 {
		return false
	}
	s.taken++
	s.byClient[client]++
	return true
}

// give gives a place of the client back.
func (s *shares) give(client *Client) {
	s.taken--
	if s.byClient[client]--; s.byClient[client] == 0 {
		delete(s.byClient, client)
	}
}
