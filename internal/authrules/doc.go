// Package authrules decides whether a room allows an event: the authorization
// rules of room versions 1 to 12.
//
// Check applies the rules to an event and the room's state, and answers nil or a
// *Rejection with the number that the rule has in the list of that room version,
// a sentence, and a Kind for callers that answer differently to lack of power, lack
// of membership and so on. Levels is the room's power levels as the rules see them,
// for callers that check beforehand. AuthEventKeys names the state that an event
// must cite.
//
// The package is pure: it reads state through the function that it is given, keeps
// nothing, and may be used concurrently. It does not verify the signatures of
// servers over events; that comes before.
//
// Specification: "Room Versions", each version's "Authorisation rules"; server-server
// API, "Auth events selection".
package authrules
