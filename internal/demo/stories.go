package demo

import (
	"fmt"
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	client = "/_matrix/client/v3"
	admin  = "/_narthex/admin/v1"
	room   = client + "/rooms/{room}"
)

// register is the body of a registration by somebody whose address has been shown to
// be theirs, with the reason why they want to join.
func register(who, reason string) string {
	return fmt.Sprintf(`{"username":%q,"password":%q,"io.github.narthex-matrix.reason":%q,`+
		`"auth":{"type":"m.login.email.identity","threepid_creds":{"sid":"{sid}","client_secret":%q}}}`,
		strings.ToLower(who), password, reason, strings.ToLower(who))
}

func user(who string) string { return "@" + strings.ToLower(who) + ":localhost" }

func about(who string) string { return fmt.Sprintf(`{"user_id":%q}`, user(who)) }

// waiting: MSC3866 as a newcomer meets it.
func waiting(p *player) {
	p.title("Mia wants an account, and has to wait")
	p.say("Two servers run side by side. They differ in how they spell errors that are proposed and\nnot yet specified: with the proposal's prefix (unstable), or as the proposal wants them (stable).\n")
	p.provesAddress("Mia")
	p.refused("Mia", "registers, and says why. The account is made, an administrator has to approve it,\nand she will hear of that by mail.",
		"POST", client+"/register", register("Mia", "Ben told me of the garden"), errcode.UserAwaitingApproval)
	p.refused("Mia", "tries to sign in.", "POST", client+"/login", login("Mia", password), errcode.UserAwaitingApproval)
	p.refused("Somebody", "who does not know Mia's password learns nothing of this.",
		"POST", client+"/login", login("Mia", "a wrong password"), errcode.Forbidden)
	p.refused("Somebody", "wants the same name.", "POST", client+"/register", register("Mia", ""), errcode.UserInUse)
}

func approving(p *player) {
	p.title("The administrator decides")
	p.signsIn("Admin")
	p.does("Admin", "looks who is waiting.", "GET", admin+"/registrations?state=pending", "", "", "")
	p.does("Admin", "approves Mia, with a note to her.", "POST", admin+"/registrations/"+user("Mia")+"/approve",
		`{"note":"Welcome! Ask me if you need anything."}`, "", "")
	p.hears("Mia", "was approved")
	p.signsIn("Mia")
	p.refused("Mia", "may not approve others herself.", "POST", admin+"/registrations/"+user("Ben")+"/approve", "{}", errcode.Forbidden)
	p.provesAddress("Ben")
	p.refused("Ben", "registers, too.", "POST", client+"/register", register("Ben", "I water the garden"), errcode.UserAwaitingApproval)
	p.does("Admin", "approves Ben.", "POST", admin+"/registrations/"+user("Ben")+"/approve", "{}", "", "")
	p.signsIn("Ben")
}

// refusals: MSC3848, one by one.
func refusals(p *player) {
	p.title("In a room, a refusal says why")
	p.does("Mia", "makes a room.", "POST", client+"/createRoom", `{"preset":"private_chat","name":"The garden"}`, "room_id", "room")
	p.does("Mia", "invites Ben.", "POST", room+"/invite", about("Ben"), "", "")
	p.does("Ben", "joins.", "POST", room+"/join", "{}", "", "")
	p.refused("Mia", "invites Ben again: he is there already.", "POST", room+"/invite", about("Ben"), errcode.AlreadyJoined)
	p.refused("Ben", "knocks at the door behind which he stands.", "POST", client+"/knock/{room}", "{}", errcode.AlreadyJoined)
	p.refused("Admin", "is in no room, and cannot write there.", "PUT", room+"/send/m.room.message/t1", `{"msgtype":"m.text","body":"hello"}`, errcode.NotJoined)
	p.refused("Admin", "is told the same of a room that does not exist.",
		"PUT", client+"/rooms/!nowhere:localhost/send/m.room.message/t1", `{"msgtype":"m.text","body":"hello"}`, errcode.NotJoined)
	p.refused("Ben", "tries to remove Mia.", "POST", room+"/kick", about("Mia"), errcode.InsufficientPower)
	p.refused("Ben", "tries to change the room's name.", "PUT", room+"/state/m.room.name", `{"name":"Ben's garden"}`, errcode.InsufficientPower)
	p.refused("Ben", "tries to ban Mia.", "POST", room+"/ban", about("Mia"), errcode.InsufficientPower)
	p.refused("Mia", "lifts a ban that there is not.", "POST", room+"/unban", about("Ben"), errcode.BadState)
	p.does("Mia", "bans Ben.", "POST", room+"/ban", about("Ben"), "", "")
	p.refused("Ben", "is out.", "PUT", room+"/send/m.room.message/t2", `{"msgtype":"m.text","body":"why?"}`, errcode.NotJoined)
	p.refused("Mia", "cannot invite whom she has banned.", "POST", room+"/invite", about("Ben"), errcode.Forbidden)
}

func together(p *player) {
	p.title("And all is well")
	p.does("Mia", "lifts the ban.", "POST", room+"/unban", about("Ben"), "", "")
	p.does("Mia", "invites Ben.", "POST", room+"/invite", about("Ben"), "", "")
	p.does("Ben", "joins.", "POST", client+"/join/{room}", "{}", "", "")
	p.does("Ben", "says hello.", "PUT", room+"/send/m.room.message/t3", `{"msgtype":"m.text","body":"hello"}`, "event_id", "event")
	p.does("Mia", "reads it.", "GET", room+"/event/{event}", "", "", "")
}
