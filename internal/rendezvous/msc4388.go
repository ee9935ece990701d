package rendezvous

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// The values of rendezvous.mode that the code asks for.
const (
	modeOff  = "off"
	modeOpen = "open"
)

// maxBody is the largest JSON body: a message of which every byte is escaped, and
// some room.
const maxBody = 64 << 10

type noRequest struct{}

type discoverResponse struct {
	CreateAvailable bool `json:"create_available"`
}

func (s *Service) discover(_ context.Context, call *httpapi.Call, _ noRequest) (discoverResponse, error) {
	notStored(call)
	if s.cfg.Mode == modeOff {
		return discoverResponse{}, off()
	}
	if s.cfg.Mode != modeOpen && call.Guest {
		return discoverResponse{}, notForGuests()
	}
	if err := s.barred(call); err != nil {
		return discoverResponse{}, err
	}
	return discoverResponse{CreateAvailable: s.cfg.Mode == modeOpen || call.UserID != ""}, nil
}

type createRequest struct {
	Data jsontext.Value `json:"data" required:"true"`
}

type createResponse struct {
	ID            string `json:"id"`
	SequenceToken string `json:"sequence_token"`
	ExpiresInMS   int64  `json:"expires_in_ms"`
}

func (s *Service) createBySequence(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	notStored(call)
	switch {
	case s.cfg.Mode == modeOff:
		return httpapi.Reply{}, off()
	case s.cfg.Mode == modeOpen:
	case call.UserID == "":
		return httpapi.Reply{}, errcode.MissingToken.New("On this server only a signed-in device can begin this. Show the code on that device, or sign in another way.")
	case call.Guest:
		return httpapi.Reply{}, notForGuests()
	}
	if err := s.barred(call); err != nil {
		return httpapi.Reply{}, err
	}
	req, err := httpapi.Bind[createRequest](r, maxBody)
	if err != nil {
		return httpapi.Reply{}, err
	}
	data, err := message(req.Data)
	if err != nil {
		return httpapi.Reply{}, err
	}
	made, err := s.create(ctx, call, msc4388, false, data)
	if err != nil {
		return httpapi.Reply{}, err
	}
	return jsonReply(http.StatusOK, createResponse{made.id, made.tag, left(made)})
}

type readResponse struct {
	Data          string `json:"data"`
	SequenceToken string `json:"sequence_token"`
	ExpiresInMS   int64  `json:"expires_in_ms"`
}

func (s *Service) readBySequence(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	notStored(call)
	if navigated(r.Header) {
		return httpapi.Reply{}, forPrograms()
	}
	found, err := s.read(ctx, msc4388, r.PathValue("id"))
	if err != nil {
		return httpapi.Reply{}, err
	}
	return jsonReply(http.StatusOK, readResponse{string(found.data), found.tag, left(found)})
}

type writeRequest struct {
	ID            string         `path:"id"`
	SequenceToken jsontext.Value `json:"sequence_token" required:"true"`
	Data          jsontext.Value `json:"data" required:"true"`
}

type writeResponse struct {
	SequenceToken string `json:"sequence_token"`
}

func (s *Service) writeBySequence(ctx context.Context, call *httpapi.Call, req writeRequest) (writeResponse, error) {
	return s.writeOr(ctx, call, req, errcode.StaleSequence)
}

func (s *Service) writeBySequenceUnstable(ctx context.Context, call *httpapi.Call, req writeRequest) (writeResponse, error) {
	return s.writeOr(ctx, call, req, errcode.StaleSequenceUnstable)
}

// writeOr writes, or fails with the code if another message is there than the one
// the client has read. If that is the very message that the client sends, an earlier
// try of the same write has succeeded.
func (s *Service) writeOr(ctx context.Context, call *httpapi.Call, req writeRequest, stale *errcode.Code) (writeResponse, error) {
	notStored(call)
	data, err := message(req.Data)
	if err != nil {
		return writeResponse{}, err
	}
	token, err := text("sequence_token", req.SequenceToken)
	if err != nil {
		return writeResponse{}, err
	}
	now, written, err := s.write(ctx, msc4388, req.ID, token, data)
	if err != nil {
		return writeResponse{}, err
	}
	if !written && !bytes.Equal(now.data, data) {
		return writeResponse{}, stale.New("The other device has written meanwhile. Read the session first.")
	}
	return writeResponse{now.tag}, nil
}

type removeRequest struct {
	ID string `path:"id"`
}

func (s *Service) removeBySequence(ctx context.Context, call *httpapi.Call, req removeRequest) (noRequest, error) {
	notStored(call)
	return noRequest{}, s.remove(ctx, msc4388, req.ID)
}

// message reads the data of a request.
func message(raw jsontext.Value) ([]byte, error) {
	data, err := text("data", raw)
	if err != nil {
		return nil, err
	}
	if len(data) > maxData {
		return nil, errcode.TooLarge.New("The data may have %d bytes at most.", maxData).With("param", "data")
	}
	return []byte(data), nil
}

// text reads a string. MSC4388 wants another code for what is none than there is
// elsewhere.
func text(name string, raw jsontext.Value) (string, error) {
	var s string
	if raw.Kind() != '"' || json.Unmarshal(raw, &s) != nil {
		return "", errcode.InvalidParam.New("%q must be a string.", name).With("param", name)
	}
	return s, nil
}

// left is how much time a session had when it was made or read, in milliseconds. The
// call began before that, and would make it more.
func left(now session) int64 {
	return max(0, now.expires.Sub(now.at).Round(time.Millisecond).Milliseconds())
}

func off() error {
	return errcode.Unrecognized.New("This server does not offer such a rendezvous.")
}

func notForGuests() error {
	return errcode.Forbidden.New("Guests cannot begin this. Sign in to an account of your own first.")
}
