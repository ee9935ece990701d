//go:build !linux

package bench

import "time"

// Other systems have no /proc: costs stay unknown there.

func cpu(int) time.Duration { return 0 }

func processClock(int) time.Duration { return 0 }

func resident(int) int64 { return 0 }

func written(int) int64 { return 0 }

func machineCPU() time.Duration { return 0 }

func alive(int) bool { return true }
