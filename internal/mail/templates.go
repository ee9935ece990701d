package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
)

//go:embed templates
var embedded embed.FS

// layout is the file with what the HTML of all mails has in common.
const layout = "layout.html"

// Templates are the texts of mails. Each has a file NAME.txt, whose first line is
// "Subject: …", and a file NAME.html, which stands on layout.html.
type Templates struct{ letters map[string]letter }

// letter is the text of one mail.
type letter struct {
	subject, text *texttemplate.Template
	html          *template.Template
}

// LoadTemplates reads the texts inside the program and, over them, those of the
// folder mail.templates. It tries each with made-up data, so that a mistake in one
// is found at the start.
func LoadTemplates(cfg config.Config) (*Templates, error) {
	read, err := reader(cfg.Mail.Templates)
	if err != nil {
		return nil, fmt.Errorf("mail.templates: %w", err)
	}
	t := &Templates{letters: map[string]letter{}}
	words := functions(cfg)
	for name, empty := range samples {
		letter, err := readLetter(read, name, words)
		if err != nil {
			return nil, fmt.Errorf("mail.templates: %w", err)
		}
		t.letters[name] = letter
		for _, data := range []any{empty, filled(empty)} {
			if _, err := t.render(name, data); err != nil {
				return nil, fmt.Errorf("mail.templates: %w", err)
			}
		}
	}
	return t, nil
}

// TemplateFiles gives the files inside the program, by name.
func TemplateFiles() (map[string]string, error) {
	files := map[string]string{}
	for _, name := range fileNames() {
		text, err := embedded.ReadFile("templates/" + name)
		if err != nil {
			return nil, err
		}
		files[name] = string(text)
	}
	return files, nil
}

func fileNames() []string {
	names := []string{layout}
	for name := range samples {
		names = append(names, name+".txt", name+".html")
	}
	slices.Sort(names)
	return names
}

// reader gives a function that reads a file of the folder, or else of the program.
// A file that would never be read is refused: its name is most likely a slip.
func reader(folder string) (func(name string) (string, error), error) {
	inside := func(name string) (string, error) {
		text, err := embedded.ReadFile("templates/" + name)
		return string(text), err
	}
	if folder == "" {
		return inside, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("the folder %s cannot be read: %w", folder, cause(err))
	}
	for _, e := range entries {
		known := slices.Contains(fileNames(), e.Name())
		if ext := filepath.Ext(e.Name()); !known && (ext == ".txt" || ext == ".html") {
			return nil, fmt.Errorf("%s: there is no such template; the names are %s", filepath.Join(folder, e.Name()), strings.Join(fileNames(), ", "))
		}
	}
	return func(name string) (string, error) {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			return inside(name)
		}
		return string(text), err
	}, nil
}

// cause is an error of the file system without the name of a system call.
func cause(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

func readLetter(read func(string) (string, error), name string, words map[string]any) (l letter, err error) {
	text, err := read(name + ".txt")
	if err != nil {
		return l, err
	}
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	subject, ok := strings.CutPrefix(head, "Subject:")
	if !ok || strings.TrimSpace(body) == "" {
		return l, fmt.Errorf(`%s.txt has to begin with a line "Subject: …", and to go on with the text of the mail`, name)
	}
	if l.subject, err = texttemplate.New(name + ".txt").Funcs(words).Option("missingkey=error").Parse(subject); err != nil {
		return l, err
	}
	if l.text, err = texttemplate.New(name + ".txt").Funcs(words).Option("missingkey=error").Parse(body); err != nil {
		return l, err
	}
	l.html = template.New("").Funcs(words).Option("missingkey=error")
	for _, file := range []string{layout, name + ".html"} {
		text, err := read(file)
		if err != nil {
			return l, err
		}
		if _, err := l.html.New(file).Parse(text); err != nil {
			return l, err
		}
	}
	l.html = l.html.Lookup(name + ".html")
	return l, nil
}

// functions are what a template can call beside those of the language.
func functions(cfg config.Config) map[string]any {
	contact := cfg.Support.AdminContactEmail
	if contact == "" {
		contact = cfg.Support.Page
	}
	return map[string]any{
		"server":   func() string { return cfg.ServerName },
		"contact":  func() string { return contact },
		"duration": inWords,
		"when":     func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 MST") },
		"button":   func(link, text string) map[string]string { return map[string]string{"Link": link, "Text": text} },
	}
}

// inWords writes a duration as people say it: 1 hour, 90 minutes.
func inWords(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	if n >= 60 && n%60 == 0 {
		n, unit = n/60, "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// render writes the mail of a template. The address, the times and the id are for
// the caller to fill in.
func (t *Templates) render(name string, data any) (w written, err error) {
	l, ok := t.letters[name]
	if !ok {
		return w, fmt.Errorf("there is no mail template %q", name)
	}
	if got, want := reflect.TypeOf(data), reflect.TypeOf(samples[name]); got != want {
		return w, fmt.Errorf("the mail template %s takes a %v, not a %v", name, want, got)
	}
	if data, err = clean(data); err != nil {
		return w, fmt.Errorf("the mail %s: %w", name, err)
	}
	w.template = name
	for _, part := range []struct {
		to      *string
		execute func(*bytes.Buffer) error
	}{
		{&w.subject, func(b *bytes.Buffer) error { return l.subject.Execute(b, data) }},
		{&w.text, func(b *bytes.Buffer) error { return l.text.Execute(b, data) }},
		{&w.html, func(b *bytes.Buffer) error { return l.html.Execute(b, data) }},
	} {
		var b bytes.Buffer
		if err := part.execute(&b); err != nil {
			return w, err
		}
		*part.to = b.String()
	}
	w.subject, w.text, w.html = plain(w.subject), paragraphs(w.text), strings.TrimSpace(w.html)+"\n"
	return w, nil
}

// paragraphs leaves one empty line where a template leaves several.
func paragraphs(text string) string {
	for strings.Contains(text, "\n\n\n") {
		text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
	}
	return strings.TrimSpace(text) + "\n"
}
