package config

// Limits holds the keys limits.*: how much the server does at once.
type Limits struct {
	MaxConnections int      `key:"max_connections"`
	Concurrency    int      `key:"concurrency"` // zero: without a limit
	Queue          int      `key:"queue"`
	QueueTimeout   Duration `key:"queue_timeout"`
	RoomQueue      int      `key:"room_queue"`
}

func defaultLimits() Limits {
	return Limits{MaxConnections: 10_000, Concurrency: 16, Queue: 1000, QueueTimeout: minute / 6, RoomQueue: 128}
}

func (f *findings) limits(c Config) {
	f.between("limits.max_connections", c.Limits.MaxConnections, 1, 1_000_000)
	f.between("limits.concurrency", c.Limits.Concurrency, 0, 10_000)
	f.between("limits.queue", c.Limits.Queue, 0, 1_000_000)
	f.within("limits.queue_timeout", c.Limits.QueueTimeout, minute/60, minute)
	f.between("limits.room_queue", c.Limits.RoomQueue, 0, 10_000)
}
