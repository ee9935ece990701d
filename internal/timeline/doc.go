// Package timeline reads the history of rooms: pages of messages, the context of
// an event, single events, relations, threads, and what is bundled with events.
//
// It owns no table: the statements on events are those of package rooms. What it
// gives of a room to a user is decided by one [rooms.View] for each request, less
// what those send whom the user ignores. The order of everything is the position
// at which an event became visible on this server. It does not change, so a page
// that begins at a token has the same events whenever it is read, and every
// message is on exactly one page, whatever is sent meanwhile.
//
// The number of statements does not depend on the length of a page. A request
// looks at a limited number of events: where few of many are visible or wanted, a
// page may be short, or empty, and yet have a token for the next one.
//
// Client-server API: Room events, Relationships API, Threading, Event context.
package timeline
