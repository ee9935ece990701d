package identity

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// onBindJob tells a homeserver that one of its users has bound an address for which
// there are invitations.
const onBindJob = "identity.onbind"

// maxOnBindTries spread over about five days, after which the homeserver is gone.
const maxOnBindTries = 30

// binding is the payload of the job.
type binding struct {
	Medium  validation.Medium `json:"medium"`
	Address string            `json:"address"`
	UserID  id.UserID         `json:"user_id"`
}

func enqueueOnBind(tx *db.Tx, bound association) error {
	waiting, err := waitingInvites(tx, bound.Medium, bound.Address)
	if err != nil || len(waiting) == 0 {
		return err
	}
	payload := binding{Medium: bound.Medium, Address: bound.Address, UserID: bound.UserID}
	return jobs.Enqueue(tx, onBindJob, string(bound.Medium)+" "+bound.Address+" "+string(bound.UserID), payload, tx.Now)
}

// onBindNotice is the body of the notice (server-server API, "3pid/onbind").
type onBindNotice struct {
	Medium  validation.Medium `json:"medium"`
	Address string            `json:"address"`
	UserID  id.UserID         `json:"mxid"`
	Invites []onBindInvite    `json:"invites"`
}

type onBindInvite struct {
	Medium  validation.Medium `json:"medium"`
	Address string            `json:"address"`
	UserID  id.UserID         `json:"mxid"`
	RoomID  id.RoomID         `json:"room_id"`
	Sender  id.UserID         `json:"sender"`
	Signed  jsontext.Value    `json:"signed"`
}

// tellOfBinding is the worker. The address may have been bound to another user
// since, or taken back: then there is nothing to tell.
func (s *Service) tellOfBinding(ctx context.Context, job jobs.Job) error {
	var bound binding
	if err := json.Unmarshal(job.Payload, &bound); err != nil {
		return err
	}
	var waiting []invite
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		owner, err := associationOwner(tx, bound.Medium, bound.Address)
		if err != nil || owner != bound.UserID {
			return noRowIsNil(err)
		}
		waiting, err = waitingInvites(tx, bound.Medium, bound.Address)
		return err
	})
	if err != nil || len(waiting) == 0 {
		return err
	}
	if s.isHome(bound.UserID.ServerName()) && s.home.OnBind == nil {
		return nil // the invitations wait until the homeserver takes them
	}
	if err := s.sendOnBind(ctx, bound, waiting); err != nil {
		if job.Attempts+1 >= maxOnBindTries {
			job.Log.Warn("a homeserver was not told of a binding", "server", bound.UserID.ServerName(), "err", err)
			return nil
		}
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return markTold(tx, waiting) })
}

func (s *Service) sendOnBind(ctx context.Context, bound binding, waiting []invite) error {
	body, err := s.notice(bound, waiting)
	if err != nil {
		return err
	}
	server := bound.UserID.ServerName()
	if s.isHome(server) {
		return s.home.OnBind(ctx, body)
	}
	authorization, err := s.signRequest(http.MethodPut, onBindPath, server, body)
	if err != nil {
		return err
	}
	return s.remote.put(ctx, server, onBindPath, authorization, body)
}

// notice is the body, with the signature of this service, as each invitation in it
// has one.
func (s *Service) notice(bound binding, waiting []invite) ([]byte, error) {
	n := onBindNotice{Medium: bound.Medium, Address: bound.Address, UserID: bound.UserID}
	for _, w := range waiting {
		raw, err := json.Marshal(acceptance{UserID: bound.UserID, Token: w.token})
		if err != nil {
			return nil, err
		}
		signed, err := s.signed(raw)
		if err != nil {
			return nil, err
		}
		n.Invites = append(n.Invites, onBindInvite{Medium: w.medium, Address: w.address, UserID: bound.UserID, RoomID: w.room, Sender: w.sender, Signed: signed})
	}
	raw, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	return s.signed(raw)
}
