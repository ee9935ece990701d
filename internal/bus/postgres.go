package bus

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	channel = "narthex"
	// maxPayload is under PostgreSQL's limit of 8,000 bytes for a notification.
	maxPayload = 7900
	reconnect  = time.Second
)

// Postgres joins the local buses of several processes by LISTEN and NOTIFY.
// Wake-ups of this process reach its own waiters at once and the others through
// one connection that coalesces them.
type Postgres struct {
	*Local
	url string
	// notifying is how the session of sender connects.
	notifying *pgx.ConnConfig
	log       *slog.Logger
	out       chan []string
	stop      context.CancelFunc
	done      chan struct{}
	// sender is the session that notifies. What it says comes back, and has been heard.
	sender atomic.Uint32
}

// NewPostgres connects and starts listening. Close ends it.
func NewPostgres(ctx context.Context, url string, log *slog.Logger) (*Postgres, error) {
	conn, err := listen(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("listening for wake-ups: %w", err)
	}
	notifying := conn.Config()
	notifying.RuntimeParams["synchronous_commit"] = "off" // nothing is to be on the disk
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &Postgres{Local: NewLocal(), url: url, notifying: notifying, log: log, out: make(chan []string, 4096), stop: stop, done: make(chan struct{}, 2)}
	go p.receive(ctx, conn)
	go p.send(ctx)
	return p, nil
}

// Close ends both connections.
func (p *Postgres) Close() {
	p.stop()
	<-p.done
	<-p.done
}

// Wake wakes the waiters of every process.
func (p *Postgres) Wake(keys []string) {
	p.Local.Wake(keys)
	select {
	case p.out <- keys:
	default:
		// The others read again within Reread; a full queue must not stop a writer.
	}
}

func listen(ctx context.Context, url string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		_ = conn.Close(ctx) // the first error says what is wrong
		return nil, err
	}
	return conn, nil
}

// receive wakes the local waiters for what other processes announce. After a
// broken connection it wakes everyone, since wake-ups may have been missed.
func (p *Postgres) receive(ctx context.Context, conn *pgx.Conn) {
	defer func() { p.done <- struct{}{} }()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err == nil {
			if n.PID != p.sender.Load() {
				p.Local.Wake(strings.Split(n.Payload, "\n"))
			}
			continue
		}
		_ = conn.Close(context.WithoutCancel(ctx)) // broken or no longer wanted
		for {
			if ctx.Err() != nil {
				return
			}
			p.log.Warn("listening for wake-ups again", "err", err)
			if conn, err = listen(ctx, p.url); err == nil {
				break
			}
			pause(ctx, reconnect)
		}
		p.WakeAll()
	}
}

func (p *Postgres) send(ctx context.Context) {
	defer func() { p.done <- struct{}{} }()
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx)) // nothing is left to send
		}
	}()
	for {
		var keys []string
		select {
		case keys = <-p.out:
		case <-ctx.Done():
			return
		}
		for more := true; more && len(keys) < 256; {
			select {
			case k := <-p.out:
				keys = append(keys, k...)
			default:
				more = false
			}
		}
		for _, payload := range payloads(keys) {
			if err := p.notify(ctx, &conn, payload); err != nil && ctx.Err() == nil {
				p.log.Warn("a wake-up for other processes was lost", "err", err)
			}
		}
	}
}

func (p *Postgres) notify(ctx context.Context, conn **pgx.Conn, payload string) (err error) {
	for range 2 { // once more on a new connection
		if *conn == nil {
			if *conn, err = pgx.ConnectConfig(ctx, p.notifying); err != nil {
				*conn = nil
				return err
			}
			p.sender.Store((*conn).PgConn().PID())
		}
		if _, err = (*conn).Exec(ctx, `SELECT pg_notify($1, $2)`, channel, payload); err == nil {
			return nil
		}
		_ = (*conn).Close(ctx) // broken
		*conn = nil
	}
	return err
}

// payloads joins the distinct keys into as few notifications as fit.
func payloads(keys []string) []string {
	seen := map[string]bool{}
	var out []string
	var b strings.Builder
	for _, k := range keys {
		if seen[k] {
			continue
		}
		seen[k] = true
		if b.Len() > 0 && b.Len()+1+len(k) > maxPayload {
			out = append(out, b.String())
			b.Reset()
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(k)
	}
	if b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
