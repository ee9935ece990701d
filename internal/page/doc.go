// Package page is the look of every page: templates, stylesheet, mark, and the
// token that ties a form to the browser it was sent to.
//
// There is one struct for each page, with what its template needs, and [Render],
// which puts it into the frame that all pages share. The pages are HTML and one
// stylesheet: no script, no font, no picture from elsewhere. They follow the
// browser's choice of light or dark, work on a phone and by keyboard alone, and
// say with each field what is wrong with it. Whatever comes from outside, such as
// the name of an application, is shown as text, without characters that hide or
// turn it round.
//
// It knows nothing of requests, and keeps nothing: package web has the routes.
package page
