package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// lineWidth is where the comments of the default file are broken.
const lineWidth = 78

const fileHead = `# The configuration of Narthex. Every key is here with its default; what you
# leave out keeps it. An environment variable overrides a key: upper case, with
# NARTHEX_ before it and _ for each level, such as NARTHEX_LOG_LEVEL.
`

const referenceHead = `# Configuration

<!-- Generated from internal/config; change it there. -->

A configuration is a YAML file that is given with ` + "`--config`" + `. Every key has a default,
so the file holds only what differs; ` + "`narthex config default`" + ` writes one with everything in it.

- **Environment.** A variable overrides the key in the file. Its name is the key in upper case, with
  ` + "`NARTHEX_`" + ` before it and ` + "`_`" + ` for each dot. A list is separated by commas.
- **Order.** A flag wins over the environment, the environment over the file, the file over the default.
- **Secrets.** A key that is marked secret can be read from a file: add ` + "`_file`" + ` to the key, or ` + "`_FILE`" + ` to the
  variable, and give a path. Nobody but its owner may be able to read that file. White space around the secret is ignored.
- **Durations** are a number with its unit: ` + "`90s`, `10m`, `24h`" + `.
- **Mistakes** stop the server before it starts: an unknown key or variable, a value of the wrong type, a key given twice.
`

// WriteDefault writes a configuration file with every key, its default and a
// comment that explains it. [Load] reads it back as [Default].
func WriteDefault(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(fileHead)
	group := ""
	for _, key := range Keys() {
		parent, name := split(key.Name)
		if parent != group {
			writeGroups(&b, group, parent)
			group = parent
		} else {
			b.WriteString("\n")
		}
		margin := indent(parent)
		doc := key.Doc
		if key.Secret {
			doc += " Instead of " + name + " you can give " + name + fileSuffix + ", the path of a file that holds it."
		}
		writeComment(&b, margin, doc)
		for i, inner := range key.Entry {
			writeComment(&b, margin, entryLine(i, inner))
		}
		fmt.Fprintf(&b, "%s%s: %s\n", margin, name, key.Default)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// entryLine shows a key of the first entry of a list with its default, in a comment.
func entryLine(i int, key Key) string {
	if i == 0 {
		return "- " + key.Name + ": " + key.Default
	}
	return "  " + key.Name + ": " + key.Default
}

// writeGroups opens the groups of next that are not open since last.
func writeGroups(b *bytes.Buffer, last, next string) {
	b.WriteString("\n")
	open := ""
	for name := range strings.SplitSeq(next, ".") {
		parent := open
		if open = strings.TrimPrefix(open+"."+name, "."); open == "" {
			return
		}
		if last != open && !strings.HasPrefix(last, open+".") {
			fmt.Fprintf(b, "%s%s:\n", indent(parent), name)
		}
	}
}

// indent is the white space before the keys of a group.
func indent(group string) string {
	if group == "" {
		return ""
	}
	return strings.Repeat("  ", strings.Count(group, ".")+1)
}

func writeComment(b *bytes.Buffer, margin, text string) {
	width := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			b.WriteString(margin + "#")
			width = len(margin) + 1
		case width+1+len(word) > lineWidth:
			b.WriteString("\n" + margin + "#")
			width = len(margin) + 1
		}
		b.WriteString(" " + word)
		width += 1 + len(word)
	}
	b.WriteString("\n")
}

// WriteReference writes docs/reference/config.md: every key with its variable,
// type, default and meaning, in Markdown.
func WriteReference(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	section := "none yet"
	var lists []Key
	for _, key := range Keys() {
		group, _, nested := strings.Cut(key.Name, ".")
		if !nested {
			group = ""
		}
		if group != section {
			section = group
			writeHeading(&b, section)
		}
		meaning := key.Doc
		if key.Secret {
			meaning = "**Secret.** " + meaning
		}
		fmt.Fprintf(&b, "| `%s`<br>`%s` | %s | `%s` | %s |\n", key.Name, key.Env, key.Type, key.Default, strings.ReplaceAll(meaning, "|", `\|`))
		if len(key.Entry) > 0 {
			lists = append(lists, key)
		}
	}
	for _, list := range lists {
		writeEntries(&b, list)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeEntries lists the keys of an entry, which stand in the file alone.
func writeEntries(b *bytes.Buffer, list Key) {
	fmt.Fprintf(b, "\n## An entry of `%s`\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n", list.Name)
	for _, key := range list.Entry {
		meaning := key.Doc
		if key.Secret {
			meaning = "**Secret.** " + meaning
		}
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s |\n", key.Name, key.Type, key.Default, strings.ReplaceAll(meaning, "|", `\|`))
	}
}

func writeHeading(b *bytes.Buffer, section string) {
	title := "`" + section + "`"
	if section == "" {
		title = "The server"
	}
	fmt.Fprintf(b, "\n## %s\n\n| Key and variable | Type | Default | Meaning |\n|---|---|---|---|\n", title)
}
