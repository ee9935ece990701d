package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"
)

// floorLabel is what results of the machine have in the place of a server's name.
const floorLabel = "floor of this machine"

// signature is the scenario of results that say what one Ed25519 signature costs.
const signature = "signature"

// measureMachine measures what no server on this machine can do without: a signature,
// and, with the same client and the same stretches, those of the chosen scenarios that
// a bare program can play.
func (r *run) measureMachine(ctx context.Context, chosen []scenario) (err error) {
	c, err := start(ctx, r.Options, nil, "bench", "floor")
	if err != nil {
		return fmt.Errorf("the floor: %w", err)
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	f := &run{Options: r.Options, sizes: r.sizes, probe: probe{server: c.pid()}, server: newHomeserver(c.url)}
	f.Label, f.URL = floorLabel, c.url
	defer f.server.transport.CloseIdleConnections()
	f.head()
	f.sign()
	for _, s := range chosen {
		if !s.bare || ctx.Err() != nil {
			continue
		}
		if err = errors.Join(err, f.enroll(ctx, s.users(f.sizes)), s.play(ctx, f)); err != nil {
			break
		}
	}
	r.results, r.lost = slices.Concat(r.results, f.results), errors.Join(r.lost, f.lost)
	return err
}

// sign measures a signature of an event of usual size.
func (r *run) sign() {
	const times = 2000
	key, event := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), make([]byte, 600)
	before, start := processClock(os.Getpid()), r.Now()
	for range times {
		ed25519.Sign(key, event)
	}
	took, seconds := processClock(os.Getpid())-before, r.Now().Sub(start).Seconds()
	r.keep(Result{
		Label: r.Label, Scenario: signature, Operations: times,
		Seconds: rounded(seconds), PerSecond: rounded(times / seconds), ServerCPU: rounded(milliseconds(took) / times),
	})
}

// signatureElsewhere is what a signature costs, in µs, on the machine that the targets
// come from.
const signatureElsewhere = 26

// slowness is how much more a signature costs on this machine, or 0 if that was not
// measured.
func slowness(all []summary) float64 {
	for _, s := range all {
		if s.Label == floorLabel && s.Scenario == signature {
			return 1000 * s.ServerCPU / signatureElsewhere
		}
	}
	return 0
}
