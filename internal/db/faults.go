package db

// The points where a crash would hurt most. A program built with the tag "faults"
// can be told to end itself at one of them; every other program has nothing of it.
const (
	faultUncommitted = "uncommitted" // after the writes, before their commit
	faultCommitted   = "committed"   // after the commit, before anybody knows of it
	faultAnswered    = "answered"    // after the answer, before the wake-ups
	faultMigration   = "migration"   // before a statement of a migration, and before the commit
)
