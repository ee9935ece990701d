// Package push decides which events notify a user: push rules, their evaluation,
// and the counts of unread notifications.
//
// It owns the endpoints under /pushrules, the account data m.push_rules, and the
// table `push_rules`. A user's row holds the differences to the default rules, so
// that most users have none and the defaults can change with the specification.
//
// Rules are compiled once and evaluated without I/O: [Rules.Evaluate] looks at a
// [View] of an event and at a [Room]. Users with the default rules share one
// compiled set.
//
// Counts are computed when they are read, and never written for each member of a
// room: [Service.Unread] evaluates what has come since it was last asked, and keeps
// the result in memory, where it is held against the position of the rules, the
// ignored users and the join before it is used again. What it keeps may be lost at
// any time; then it looks again at the newest events of the room, up to a limit.
//
// Specification: client-server API, "Push Notifications"; appendices, "Glob-style
// matching" and "Dot-separated property paths".
package push
