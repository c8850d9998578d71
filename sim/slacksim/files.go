package slacksim

import (
	"io"
	"net/http"
)

// file is an upload in the three steps of files.getUploadURLExternal.
type file struct {
	id, name string
	want     int
	body     []byte
	done     bool
}

func (w *Workspace) uploadURL(c *call) (obj, *apiError) {
	name, size := c.str("filename"), c.number("length", 0)
	if name == "" || size <= 0 {
		return fail("invalid_arguments")
	}
	f := &file{id: w.newID("F"), name: name, want: size}
	w.files[f.id] = f
	return obj{"upload_url": w.base(c.host) + "/slack/upload/" + f.id, "file_id": f.id}, nil
}

// serveUpload takes the bytes, raw or as the first file of a multipart form.
func (w *Workspace) serveUpload(rw http.ResponseWriter, r *http.Request) {
	const largest = 8 << 20
	var in io.Reader = http.MaxBytesReader(rw, r.Body, largest)
	if mr, err := r.MultipartReader(); err == nil {
		part, err := mr.NextPart()
		if err != nil {
			http.Error(rw, "no file in the form", http.StatusBadRequest)
			return
		}
		in = io.LimitReader(part, largest)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		http.Error(rw, "the upload could not be read", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	f := w.files[r.PathValue("id")]
	if f != nil {
		f.body = body
	}
	w.mu.Unlock()
	if f == nil {
		http.NotFound(rw, r)
		return
	}
	write(rw, []byte("OK"))
}

func (w *Workspace) completeUpload(c *call) (obj, *apiError) {
	v, _, err := c.value("files")
	list, ok := v.([]any)
	if err != nil || !ok || len(list) == 0 {
		return fail("invalid_arguments")
	}
	var out []obj
	for _, e := range list {
		o, ok := e.(obj)
		if !ok {
			return fail("invalid_arguments")
		}
		id, _ := o["id"].(string)
		f := w.files[id]
		if f == nil || f.body == nil {
			return fail("file_not_found")
		}
		f.done = true
		title, ok := o["title"].(string)
		if !ok || title == "" {
			title = f.name
		}
		out = append(out, obj{"id": f.id, "title": title, "name": f.name, "size": len(f.body)})
	}
	if ref := c.str("channel_id"); ref != "" {
		ch, e := w.postable(ref)
		if e != nil {
			return nil, e
		}
		thread, e := ch.thread(c.str("thread_ts"))
		if e != nil {
			return nil, e
		}
		m := w.newMessage(BotUserID, content{text: c.str("initial_comment")})
		m.threadTS = thread
		m.attach = encode([]obj{{"files": out}})
		ch.add(m)
		w.touch()
	}
	return obj{"files": out}, nil
}
