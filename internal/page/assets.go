package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

//go:embed templates
var templateFiles embed.FS

// Asset is a file that pages refer to.
type Asset struct {
	// Name has a part that changes with the content, so that browsers may keep the
	// file for ever.
	Name        string
	ContentType string
	Body        []byte
}

// AssetFolder is the path under which pages look for assets.
const AssetFolder = "/assets/"

var (
	assets    = map[string]Asset{}              // by the name that is sent
	hashed    = map[string]string{}             // from the file's name to that name
	templates = map[string]*template.Template{} // by the page
)

var contentTypes = map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}

func init() {
	for name, body := range files(assetFiles, "assets") {
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		sent := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		assets[sent] = Asset{Name: sent, ContentType: contentTypes[ext], Body: body}
		hashed[name] = sent
	}
	texts := files(templateFiles, "templates")
	frame := template.New("").Funcs(functions)
	for _, name := range []string{"frame.html", "parts.html"} { // in every page
		template.Must(frame.New(name).Parse(string(texts[name])))
		delete(texts, name)
	}
	for name, body := range texts {
		own := template.Must(frame.Clone())
		template.Must(own.New("content").Parse(string(body)))
		templates[strings.TrimSuffix(name, ".html")] = own
	}
}

// files reads a folder of embedded files, which cannot fail.
func files(from embed.FS, folder string) map[string][]byte {
	out := map[string][]byte{}
	entries, _ := fs.ReadDir(from, folder)
	for _, e := range entries {
		out[e.Name()], _ = fs.ReadFile(from, path.Join(folder, e.Name()))
	}
	return out
}

// FindAsset gives the asset of that name, if there is one.
func FindAsset(name string) (Asset, bool) {
	a, ok := assets[name]
	return a, ok
}

// assetPath is where a browser finds a file of the folder assets.
func assetPath(file string) string { return AssetFolder + hashed[file] }
