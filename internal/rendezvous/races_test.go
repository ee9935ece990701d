package rendezvous_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

// replicas starts two servers over one database.
func replicas(t *testing.T) []*apitest.Server {
	first := apitest.New(t, open)
	return []*apitest.Server{first, apitest.Over(t, first.App.Config.Database, open)}
}

// together makes many requests at once, by turns to each server, and gives the
// answers.
func together(t *testing.T, servers []*apitest.Server, ask func(srv *apitest.Server, i int) (*apitest.Response, error)) []*apitest.Response {
	t.Helper()
	const many = 24
	answers := make([]*apitest.Response, many)
	var wait sync.WaitGroup
	for i := range many {
		wait.Go(func() {
			r, err := ask(servers[i%len(servers)], i)
			if err != nil {
				t.Error(err)
			}
			answers[i] = r
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return answers
}

func TestRZ26_RZ32_OneOfManyWritesWinsAtOnce(t *testing.T) {
	servers := replicas(t)
	session, etag := created(t, servers[0], unstableETag, "")
	for range 5 {
		answers := together(t, servers, func(srv *apitest.Server, i int) (*apitest.Response, error) {
			return with(plain(srv), "If-Match", etag).Try(t.Context(), "PUT", session, fmt.Sprintf("from %d", i))
		})
		won := -1
		for i, r := range answers {
			switch {
			case r.Status == 202 && won < 0:
				won, etag = i, r.Header.Get("ETag")
			case r.Status != 412:
				t.Errorf("writer %d got %d %s, after %d had won", i, r.Status, r.Body, won)
			}
		}
		for i, r := range answers {
			if r.Header.Get("ETag") != etag {
				t.Errorf("RZ-19: writer %d was told %s, and %s is current", i, r.Header.Get("ETag"), etag)
			}
		}
		for _, srv := range servers {
			if r := srv.Anyone().Do(t, "GET", session, nil); string(r.Body) != fmt.Sprintf("from %d", won) || r.Header.Get("ETag") != etag {
				t.Errorf("RZ-32: %d won, and there is %s", won, r.Body)
			}
		}
	}
}

func TestZ213_OneOfManyWritesWinsAtOnce(t *testing.T) {
	servers := replicas(t)
	m := makeMailbox(t, servers[1].Anyone(), unstableJSON, "")
	for range 5 {
		token, won := m.SequenceToken, -1
		for i, r := range together(t, servers, func(srv *apitest.Server, i int) (*apitest.Response, error) {
			return srv.Anyone().Try(t.Context(), "PUT", stable+"/"+m.ID, object{"data": fmt.Sprintf("from %d", i), "sequence_token": token})
		}) {
			switch {
			case r.Status == 200 && won < 0:
				won = i
				r.OK(t, &m)
			case r.Status != 409:
				t.Errorf("writer %d got %d %s", i, r.Status, r.Body)
			}
		}
		if got := readMailbox(t, servers[0], stable+"/"+m.ID); got.Data != fmt.Sprintf("from %d", won) || got.SequenceToken != m.SequenceToken {
			t.Errorf("%d won, and there is %+v", won, got)
		}
	}
}

// TestZ212_ARetryAtOnceIsOneWrite sends one write many times at once: a client that
// does not wait for the answer.
func TestZ212_ARetryAtOnceIsOneWrite(t *testing.T) {
	servers := replicas(t)
	m := makeMailbox(t, servers[0].Anyone(), stable, "")
	tokens := map[string]bool{}
	for _, r := range together(t, servers, func(srv *apitest.Server, _ int) (*apitest.Response, error) {
		return srv.Anyone().Try(t.Context(), "PUT", stable+"/"+m.ID, object{"data": "same", "sequence_token": m.SequenceToken})
	}) {
		var got mailbox
		r.OK(t, &got)
		tokens[got.SequenceToken] = true
	}
	if len(tokens) != 1 || tokens[m.SequenceToken] {
		t.Errorf("got the tokens %v", tokens)
	}
}

// TestRZ32_ARestartKeepsSessions reads what another process has written.
func TestRZ32_ARestartKeepsSessions(t *testing.T) {
	before := apitest.New(t, open)
	session, etag := created(t, before, stable, "first")
	m := makeMailbox(t, before.Anyone(), stable, "first")
	after := apitest.Over(t, before.App.Config.Database, open)
	status(t, with(after.Anyone(), "If-None-Match", etag).Do(t, "GET", session, nil), 304)
	put(t, after, session, etag, "second")
	if got := readMailbox(t, after, stable+"/"+m.ID); got.Data != "first" || got.SequenceToken != m.SequenceToken {
		t.Errorf("got %+v, want %+v", got, m)
	}
	status(t, after.Anyone().Do(t, "DELETE", session, nil), 204)
	status(t, before.Anyone().Do(t, "GET", session, nil), 404)
}
