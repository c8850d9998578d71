package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// This file draws the pause switch on the cards that stand in the channel. The rules are:
//   - One card follows the other, however long the bot or Slack was away meanwhile: nothing piles up that would come at once.
//   - It gives way. While a card waits to be drawn that somebody acted on, or one that Slack has not taken yet, no other one
//     is added; what people are told, and alarms, wait behind one card at most.
//   - The switch that was turned last is the one that is drawn. What is left of an earlier turn is left.

// redrawEvery is the pace. Slack takes a message a second in a channel and fifty changes of messages a minute.
// https://docs.slack.dev/apis/web-api/rate-limits
const redrawEvery = 1250 * time.Millisecond

func redrawKey(sw Switch) string { return "redraw/" + strconv.FormatInt(sw.At.UnixMilli(), 10) }

// redrawItem is the work of drawing the cards of places, in their order.
func redrawItem(sw Switch, cards []Place, at time.Time) Item {
	return item(redrawKey(sw), KindRedraw, Work{Accounts: cards}, at)
}

// errBusy means that another card is to be drawn first.
var errBusy = errors.New("another card waits to be drawn")

// redraw handles "redraw": it queues one card, and itself for the others.
func (s *Service) redraw(ctx context.Context, l Lease) (Change, error) {
	w, err := l.Work()
	if err != nil {
		return Change{}, err
	}
	sw, err := s.d.Ledger.Switch(ctx)
	if err != nil {
		return Change{}, fmt.Errorf("read the pause switch: %w", err)
	}
	if len(w.Accounts) == 0 || l.Key != redrawKey(sw) {
		return Change{}, nil
	}
	now := s.d.Now()
	waiting, err := s.d.Queue.Due(ctx, now.Add(time.Hour)) // a Slack that does not answer is asked again sooner than that
	if err != nil {
		return Change{}, fmt.Errorf("look for cards that wait: %w", err)
	}
	if waiting[KindCard] > 0 {
		return Change{}, Later(now.Add(redrawEvery), errBusy)
	}
	p := w.Accounts[0]
	c := Change{Queue: []Item{cardItem(p.Source, p.Account, now)}}
	if rest := w.Accounts[1:]; len(rest) > 0 {
		c.Queue = append(c.Queue, redrawItem(sw, rest, now.Add(redrawEvery)))
	}
	return c, nil
}
