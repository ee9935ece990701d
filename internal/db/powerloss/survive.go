package powerloss

// The ways in which a disk loses what was not synced.
const (
	losesAll     = iota // nothing reached it
	losesTheLast        // it works in order, and was cut in the middle of a write
	losesSectors        // it works in any order, sector by sector
	losesWrites         // likewise, write by write; the sizes of files are kept
	waysOfLosing
)

// survive makes some of the changes that were not synced.
func (i *Image) survive(open []step, pick func(int) int) {
	switch pick(waysOfLosing) {
	case losesAll:
	case losesTheLast:
		if len(open) == 0 {
			return
		}
		last := pick(len(open))
		for _, s := range open[:last] {
			i.apply(s)
		}
		i.tear(open[last], pick)
	case losesSectors:
		share := 1 + pick(99)
		for _, s := range open {
			i.scatter(s, func() bool { return pick(100) < share })
		}
	case losesWrites:
		share := 1 + pick(99)
		rubbish := pick(2) == 1
		for _, s := range open {
			if pick(100) < share {
				i.apply(s)
			} else if s.kind == writing {
				i.leaveHole(s, rubbish, pick)
			}
		}
	}
}

// tear makes the first bytes of a write.
func (i *Image) tear(s step, pick func(int) int) {
	if s.kind == writing {
		s.data = s.data[:pick(len(s.data)+1)]
	}
	i.apply(s)
}

// scatter makes those sectors of a write that survive.
func (i *Image) scatter(s step, survives func() bool) {
	if s.kind != writing {
		if survives() {
			i.apply(s)
		}
		return
	}
	for at := s.at; at < s.at+int64(len(s.data)); {
		end := min((at/sector+1)*sector, s.at+int64(len(s.data)))
		if survives() {
			i.apply(step{kind: writing, name: s.name, at: at, data: s.data[at-s.at : end-s.at]})
		}
		at = end
	}
}

// leaveHole makes a file as long as a write that was lost would have made it. What is
// new in it is zero, or whatever was on the disk there.
func (i *Image) leaveHole(s step, rubbish bool, pick func(int) int) {
	old := int64(len(i.Files[s.name]))
	file := grown(i.Files[s.name], s.at+int64(len(s.data)))
	if rubbish {
		for at := old; at < int64(len(file)); at++ {
			file[at] = byte(pick(256))
		}
	}
	i.Files[s.name] = file
}

// grown gives a file that has at least a size.
func grown(file []byte, size int64) []byte {
	if more := size - int64(len(file)); more > 0 {
		file = append(file, make([]byte, more)...)
	}
	return file
}
