package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"golang.org/x/term"
)

// console is where a sign-in tells how it goes and asks what it cannot know: a
// person in words, a program in JSON, one object per line.
type console struct {
	std   streams
	json  bool
	lines chan line
}

// line is a line of the input, or its end.
type line struct {
	text string
	err  error
}

// fields are what an event says to programs.
type fields map[string]any

// tell reports an event. The text is for people; an empty one tells them nothing.
func (c *console) tell(event string, more fields, text string) {
	if c.json {
		object := fields{"event": event}
		maps.Copy(object, more)
		e := json.NewEncoder(c.std.out)
		e.SetEscapeHTML(false)
		_ = e.Encode(object) // a program that has gone away reads nothing
	} else if text != "" {
		fmt.Fprintln(c.std.out, text)
	}
}

// ask reports an event that wants an answer, and reads a line.
func (c *console) ask(ctx context.Context, event string, more fields, prompt string) (string, error) {
	if c.json {
		c.tell(event, more, "")
	} else {
		fmt.Fprint(c.std.out, prompt)
	}
	return c.line(ctx)
}

// secret is ask for what must not be seen on a terminal.
func (c *console) secret(ctx context.Context, event, prompt string) (string, error) {
	file, ok := c.std.in.(*os.File)
	if c.json || c.lines != nil || !ok || !term.IsTerminal(int(file.Fd())) {
		return c.ask(ctx, event, nil, prompt)
	}
	return hidden(ctx, c.std, file, prompt)
}

// hidden is ask that ends with the context, as Ctrl-C ends it.
func hidden(ctx context.Context, std streams, terminal *os.File, prompt string) (string, error) {
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", err
	}
	typed := make(chan line, 1)
	go func() {
		text, err := ask(std, terminal, prompt)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		fmt.Fprintln(std.err)
		return "", errors.Join(ctx.Err(), term.Restore(int(terminal.Fd()), before))
	}
}

// line reads a line of the input. The input is read by a goroutine that nobody can
// stop, so there is one for the life of the program.
func (c *console) line(ctx context.Context) (string, error) {
	if c.lines == nil {
		c.lines = make(chan line)
		go func() {
			for r := bufio.NewReader(c.std.in); ; {
				text, err := r.ReadString('\n')
				if err != nil && (text == "" || !errors.Is(err, io.EOF)) {
					c.lines <- line{err: err}
					return
				}
				c.lines <- line{text: strings.TrimRight(text, "\r\n")}
			}
		}()
	}
	select {
	case l, open := <-c.lines:
		if !open || l.err != nil {
			return "", errNoAnswer
		}
		return l.text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// errNoAnswer says that the input ended where an answer was wanted.
var errNoAnswer = errors.New("a question was not answered: the input has ended")

// fail ends a command: it tells what happened, what that means and what to do.
func (c *console) fail(err error) error {
	a := explain(err)
	reason := printable(err.Error())
	if errors.Is(err, context.Canceled) && causeOf(err) == "" {
		reason = "the command was stopped"
	}
	text := fmt.Sprintf("It did not work: %s", reason)
	cause := printable(causeOf(err))
	if cause != "" {
		text += "\nBehind it: " + cause
	}
	if a.meaning != "" {
		text += "\nWhat it means: " + a.meaning
	}
	text += "\nWhat to do: " + a.next
	if c.json {
		c.tell("failed", fields{"reason": a.code, "error": reason, "cause": cause, "meaning": a.meaning, "next": a.next}, "")
	} else {
		fmt.Fprintln(c.std.err, text)
	}
	return errFound
}
