package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
)

// maxFileBytes is far more than a configuration or a secret needs. A larger file
// is not what it is taken for.
const maxFileBytes = 64 << 10

// Load reads the configuration: cfg has the defaults, over them comes the YAML file at path
// unless path is empty, over that the variables of environ (as os.Environ gives
// them) that begin with NARTHEX_. The error joins everything that is wrong, one
// line each, for the person who wrote it.
//
// Load does not call [Config.Check], because flags are yet to be applied.
func Load(cfg Config, path string, environ []string) (Config, error) {
	var fileErr error
	if path != "" {
		fileErr = loadFile(&cfg, path)
	}
	if err := errors.Join(fileErr, loadEnviron(&cfg, environ)); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

func loadFile(cfg *Config, path string) error {
	text, err := readPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(`%s: there is no such file; "narthex config default" writes one`, path)
	}
	if err != nil {
		return err
	}
	return loadYAML(cfg, path, text)
}

func loadEnviron(cfg *Config, environ []string) error {
	s := source{group: reflect.ValueOf(cfg).Elem()}
	for _, entry := range environ {
		variable, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, envPrefix) || strings.HasPrefix(variable, testPrefix) {
			continue
		}
		s.variable(variable, text)
	}
	return s.finish()
}

// A source collects what one file, or the environment, says.
type source struct {
	group   reflect.Value // the Config, or the entry of a list, that is set
	secrets []givenSecret
	errs    []error
}

// A givenSecret is a secret in one of its two forms. It is not set at once,
// because a source that gives both forms is refused.
type givenSecret struct {
	field  field
	where  string // the variable, or the file, line and key
	text   string // the secret, or the path of the file that holds it
	asFile bool
}

func (s *source) fail(where string, err error) {
	s.errs = append(s.errs, fmt.Errorf("%s: %w", where, err))
}

// variable takes one environment variable.
func (s *source) variable(variable, text string) {
	all := names()
	known := slices.IndexFunc(all, func(name string) bool { return envName(name) == variable })
	var f field
	asFile, ok := false, false
	if known >= 0 {
		f, asFile, ok = fieldNamed(all[known])
	}
	switch {
	case !ok:
		s.fail(variable, unknownVariable(variable))
	case f.secret:
		s.secrets = append(s.secrets, givenSecret{field: f, where: variable, text: text, asFile: asFile})
	case f.entry != nil:
		s.fail(variable, fmt.Errorf("entries have keys of their own; write %s into the file", f.name))
	case f.isList():
		f.setList(s.group, commaSeparated(text))
	default:
		if err := f.set(s.group, text); err != nil {
			s.fail(variable, err)
		}
	}
}

func unknownVariable(variable string) error {
	var variables []string
	for _, name := range names() {
		if !isGroup(name) {
			variables = append(variables, envName(name))
		}
	}
	if near := nearest(variable, variables); near != "" {
		return fmt.Errorf("there is no such variable; did you mean %s?", near)
	}
	return errors.New("there is no such variable; docs/reference/config.md lists them all")
}

func commaSeparated(text string) []string {
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// finish sets the secrets and returns all that was wrong with the source.
func (s *source) finish() error {
	for _, given := range s.secrets {
		if given.asFile && given.text != "" && s.alsoAsText(given.field) {
			s.fail(given.where, fmt.Errorf("%s is given too; remove one of the two", given.field.name))
			continue
		}
		if err := given.set(s.group); err != nil {
			s.fail(given.where, err)
		}
	}
	return errors.Join(s.errs...)
}

func (s *source) alsoAsText(f field) bool {
	return slices.ContainsFunc(s.secrets, func(other givenSecret) bool {
		return other.field.name == f.name && !other.asFile && other.text != ""
	})
}

func (g givenSecret) set(group reflect.Value) error {
	if !g.asFile {
		return g.field.set(group, g.text)
	}
	if g.text == "" {
		return nil
	}
	secret, err := readSecret(g.text)
	if err != nil {
		return err
	}
	return g.field.set(group, secret)
}

// readSecret reads a file that nobody but its owner may read, without the white
// space around its content.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0 {
		return "", fmt.Errorf("others may read %s (its mode is %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := readPlain(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s is empty; it should hold the secret", path)
	}
	return secret, nil
}

// readPlain reads a plain file. Its errors name the path.
func readPlain(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, pathError(path, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a plain file", path)
	case info.Size() > maxFileBytes:
		return nil, fmt.Errorf("%s is too large: %d bytes, and %d are allowed", path, info.Size(), maxFileBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, pathError(path, err)
	}
	return text, nil
}

// pathError names the file without the system call that failed.
func pathError(path string, err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
