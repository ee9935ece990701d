// Package config is the server's configuration: one struct, its defaults, and
// the checks that it must pass. It is also the source of the default
// configuration file and of docs/reference/config.md.
//
// A key is a field of [Config] with a key tag, and a text in docs.go. From the
// two come its place in the YAML file, its environment variable and its line in
// the reference; nothing else lists the keys. Later sources win: default, file,
// environment, and last the flags, which the command line sets on the Config
// that [Load] returns before it calls [Config.Check].
//
// Loading is strict. An unknown key, a wrong type, a key given twice and an
// unknown NARTHEX_ variable are errors that name the file, the line, the key and
// what was expected. All of them are reported at once, and none repeats a
// secret.
//
// A Config is a plain value: it is never changed after the start, so it may be
// read from anywhere.
package config
