package main

import (
	"fmt"
	"net/http"
)

// uploader uploads one-time keys (K7).
type uploader struct {
	survivor
	number  int
	pending map[string]any
	keys    int
}

const (
	keysAtOnce = 5
	keysAtMost = 900 // of one device
)

func (u *uploader) step() error {
	if u.pending == nil {
		if u.keys+keysAtOnce > keysAtMost { // another device, then
			fresh := u.survivor
			if r, err := fresh.login("uploader", false); err != nil {
				return err
			} else if r.status != http.StatusOK {
				return r.unexpected("login")
			}
			u.survivor, u.keys = fresh, 0
		}
		u.number++
		u.pending = map[string]any{}
		for i := range keysAtOnce {
			u.pending[fmt.Sprintf("curve25519:k%d-%d", u.number, i)] = fmt.Sprintf("key %d %d", u.number, i)
		}
	}
	return u.settle()
}

func (u *uploader) settle() error {
	if u.pending == nil {
		return nil
	}
	count, err := u.upload(u.pending)
	if err != nil {
		return err
	}
	u.keys += keysAtOnce
	u.pending = nil
	u.compare(count)
	return nil
}

func (u *uploader) upload(keys map[string]any) (int, error) {
	var answer struct {
		Counts map[string]int `json:"one_time_key_counts"`
	}
	err := u.tell("POST", "/_matrix/client/v3/keys/upload", map[string]any{"one_time_keys": keys}, &answer)
	return answer.Counts["curve25519"], err
}

func (u *uploader) compare(count int) {
	if count != u.keys {
		u.w.find("lost: K7: %d one-time keys were acknowledged, and %d are counted", u.keys, count)
		u.keys = count
	}
}

func (u *uploader) check() error {
	count, err := u.upload(map[string]any{})
	if err == nil {
		u.compare(count)
	}
	return err
}
