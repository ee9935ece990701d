package db

import sqlite3 "modernc.org/sqlite/lib"

// SQLiteVersion is the version of the SQLite inside this program.
const SQLiteVersion = sqlite3.SQLITE_VERSION
