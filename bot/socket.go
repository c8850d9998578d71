package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
)

// This file is one connection of Socket Mode (https://docs.slack.dev/apis/events-api/using-socket-mode). The library gets
// its address and no more: its own reader decodes the whole message that was clicked before anybody sees the envelope, keeps
// quiet about why Slack disconnects, and drops what comes after. The rules are:
//   - Who reads never writes, and waits for no Slack, no AWS and no decision: two ends that both wait to write would stand
//     still.
//   - When Slack asks for another connection, what it still sends on this one is taken until it closes it.
//   - Whatever stops passing anything is given up: a connection that looks open swallows clicks.

const (
	pingEvery  = 5 * time.Second
	silentFor  = 15 * time.Second // without a frame, a ping or an answer to ours: the other end is gone
	lingerFor  = 15 * time.Second // for what Slack still sends after its warning, which comes about ten seconds before
	dialWithin = 15 * time.Second
	ackWithin  = 2 * time.Second
	closeIn    = time.Second // for the other end to say goodbye
	maxFrame   = 16 << 20
	// Slack drops an acknowledgement of this many bytes without a word, and one in several WebSocket frames, which the
	// write buffer's size prevents (https://github.com/slack-go/slack/issues/1196).
	maxAck = 20_480
)

// socket is one connection.
type socket struct {
	conn    *websocket.Conn
	writing chan struct{} // held by who writes
	stuck   *time.Timer   // ends a connection that does not take what is written
	silent  *time.Timer   // ends one that says nothing
	asked   chan string   // Slack's pings to be answered
	leaving chan struct{} // closed when Slack asks for another connection
	reason  string        // of the leaving; read after it
	once    sync.Once
	garbage int // frames that could not be read; of the reading goroutine
}

// dial opens a connection, by the way that the Web API is reached.
func dial(ctx context.Context, c Config) (*socket, error) {
	api := slack.New(c.BotToken, slack.OptionAppLevelToken(c.AppToken), slack.OptionAPIURL(c.APIURL), slack.OptionHTTPClient(c.HTTP))
	_, address, err := api.StartSocketModeContext(ctx)
	if err != nil {
		return nil, err
	}
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialWithin, ReadBufferSize: 64 << 10, WriteBufferSize: 32 << 10,
	}
	if way, ok := c.HTTP.Transport.(*http.Transport); ok {
		dialer.Proxy, dialer.NetDialContext = way.Proxy, way.DialContext
	}
	conn, answer, err := dialer.DialContext(ctx, address, nil)
	if answer != nil {
		err = errors.Join(err, answer.Body.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	s := &socket{conn: conn, writing: make(chan struct{}, 1), asked: make(chan string, 1), leaving: make(chan struct{})}
	s.stuck, s.silent = time.AfterFunc(ackWithin, s.abort), time.AfterFunc(silentFor, s.abort)
	s.stuck.Stop()
	conn.SetReadLimit(maxFrame)
	conn.SetPongHandler(func(string) error { s.silent.Reset(silentFor); return nil })
	conn.SetPingHandler(func(data string) error {
		s.silent.Reset(silentFor)
		select {
		case s.asked <- data:
		default: // one answer does for several (RFC 6455, 5.5.3)
		}
		return nil
	})
	return s, nil
}

// abort gives the connection up. It may be called twice.
func (s *socket) abort() {
	_ = s.conn.Close() // what cannot be closed is gone already
}

// unreadable gives up a connection that brings garbage again and again, so that the next waits for its back-off.
func (s *socket) unreadable() {
	const most = 10
	if s.garbage++; s.garbage == most {
		s.abort()
	}
}

// close says goodbye and gives the other end a second to do so: what it had sent before is still read.
func (s *socket) close(ctx context.Context) {
	time.AfterFunc(closeIn, s.abort)
	inTime, stop := context.WithTimeout(context.WithoutCancel(ctx), closeIn)
	defer stop()
	if s.write(inTime, websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")) != nil {
		s.abort()
	}
}

// leave notes that Slack asks for another connection, and gives this one a while.
func (s *socket) leave(ctx context.Context, reason string) {
	s.once.Do(func() {
		s.reason = reason
		close(s.leaving)
		time.AfterFunc(lingerFor, func() { s.close(ctx) })
	})
}

// read hands on each frame until the connection ends, and returns why. A frame is good until take returns. When the context
// ends, Slack is told and what it still sends is read and let go: a connection that is closed with something unread is reset,
// and the last acknowledgements would be lost on their way.
func (s *socket) read(ctx context.Context, take func([]byte)) error {
	defer s.silent.Stop()
	defer s.abort()
	bye := context.AfterFunc(ctx, func() { s.close(ctx) })
	defer bye()
	ended := make(chan struct{})
	defer close(ended)
	go s.ping(ctx, ended)
	var buffer bytes.Buffer
	for {
		_, r, err := s.conn.NextReader()
		if err != nil {
			return fmt.Errorf("read a socket: %w", err)
		}
		buffer.Reset()
		if _, err := buffer.ReadFrom(r); err != nil {
			return fmt.Errorf("read a socket: %w", err)
		}
		s.silent.Stop() // whom it is handed to may make us wait
		if ctx.Err() == nil {
			take(buffer.Bytes())
		}
		s.silent.Reset(silentFor)
	}
}

// ping asks the other end for a sign of life, and gives it ours, until the connection ends.
func (s *socket) ping(ctx context.Context, ended chan struct{}) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		var err error
		select {
		case <-t.C:
			err = s.write(ctx, websocket.PingMessage, nil)
		case data := <-s.asked:
			err = s.write(ctx, websocket.PongMessage, []byte(data))
		case <-ended:
			return
		}
		if ctx.Err() != nil || errors.Is(err, websocket.ErrCloseSent) {
			return // it is being closed in an orderly way
		}
		if err != nil {
			s.abort()
			return
		}
	}
}

// write sends one message. It returns an error where it was not handed to the network.
func (s *socket) write(ctx context.Context, kind int, data []byte) error {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writing }()
	s.stuck.Reset(ackWithin)
	defer s.stuck.Stop()
	if err := s.conn.WriteMessage(kind, data); err != nil {
		return fmt.Errorf("write to a socket: %w", err)
	}
	return nil
}

var errAnswerLeftOut = errors.New("the answer is larger than Slack takes, and was left out of the acknowledgement")

// ack acknowledges an envelope. An answer that Slack would drop with the whole acknowledgement is left out of it, which is
// an error.
func (s *socket) ack(ctx context.Context, id string, payload any) error {
	type answer struct {
		ID      string `json:"envelope_id"`
		Payload any    `json:"payload,omitempty"`
	}
	data, err := json.Marshal(answer{id, payload})
	if err == nil && len(data) >= maxAck {
		err = errAnswerLeftOut
	}
	if err != nil && payload != nil {
		return errors.Join(err, s.ack(ctx, id, nil))
	}
	ctx, stop := context.WithTimeout(ctx, ackWithin)
	defer stop()
	return s.write(ctx, websocket.TextMessage, data)
}
