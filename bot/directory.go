package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// This file answers who somebody is. The rules are:
//   - Persons and groups are asked of Slack each time: what was true a minute ago grants nothing.
//   - Membership of the channel, which lets people look and nothing else, is kept for a few seconds, and for a minute that
//     the channel is not shared with another company.
//   - No answer is an error, never a no and never a yes.

var _ commands.Directory = (*Workspace)(nil)

// membersFor is how long the list of the channel's members is believed.
const membersFor = 15 * time.Second

// Person looks a user up. An unknown user is commands.ErrNotFound.
func (w *Workspace) Person(ctx context.Context, id string) (commands.Person, error) {
	if !slackID(id, "UW") {
		return commands.Person{}, commands.ErrNotFound
	}
	var u *slack.User
	err := w.again(ctx, func(ctx context.Context) (err error) {
		u, err = w.api.GetUserInfoContext(ctx, id)
		return err
	})
	if c := code(err); c == "user_not_found" || c == "user_not_visible" {
		return commands.Person{}, commands.ErrNotFound
	}
	if err != nil {
		return commands.Person{}, fmt.Errorf("look up user %s: %w", id, err)
	}
	ours := u.TeamID == w.who.Team || slices.Contains(u.Enterprise.Teams, w.who.Team)
	return commands.Person{
		User: u.ID, Team: u.TeamID, Email: u.Profile.Email, Name: cmp.Or(u.RealName, u.Name), Locale: u.Locale, Deleted: u.Deleted,
		Bot:   u.IsBot || u.IsWorkflowBot || u.IsConnectorBot || u.ID == "USLACKBOT",
		Guest: u.IsRestricted || u.IsUltraRestricted, Outside: u.IsStranger || !ours,
	}, nil
}

// Group lists the members of a user group.
func (w *Workspace) Group(ctx context.Context, id string) ([]string, error) {
	var users []string
	err := w.again(ctx, func(ctx context.Context) (err error) {
		users, err = w.api.GetUserGroupMembersContext(ctx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up user group %s: %w", id, err)
	}
	return users, nil
}

// InChannel reports whether a user is a member of the bot's channel.
func (w *Workspace) InChannel(ctx context.Context, id string) (bool, error) {
	now := w.cfg.Now()
	w.mu.Lock()
	members, fresh := w.members, w.members != nil && now.Sub(w.asOf).Abs() < membersFor
	w.mu.Unlock()
	if fresh && members[id] {
		return true, nil
	}
	all, err := w.listMembers(ctx)
	if err != nil {
		return false, fmt.Errorf("list the members of channel %s: %w", w.cfg.Channel, err)
	}
	w.mu.Lock()
	w.members, w.asOf = all, now
	w.mu.Unlock()
	return all[id], nil
}

// sharedFor is how long it is believed whether the channel is shared.
const sharedFor = time.Minute

// Shared reports whether the bot's channel is shared with another company by Slack Connect. It may become so at any time.
func (w *Workspace) Shared(ctx context.Context) (bool, error) {
	now := w.cfg.Now()
	w.mu.Lock()
	shared, fresh := w.shared, !w.sharedAsOf.IsZero() && now.Sub(w.sharedAsOf).Abs() < sharedFor
	w.mu.Unlock()
	if fresh {
		return shared, nil
	}
	ch, err := w.channel(ctx)
	if err != nil {
		return false, fmt.Errorf("look at channel %s: %w", w.cfg.Channel, err)
	}
	w.mu.Lock()
	w.shared, w.sharedAsOf = ch.IsExtShared, now
	w.mu.Unlock()
	return ch.IsExtShared, nil
}

func (w *Workspace) channel(ctx context.Context) (ch *slack.Channel, err error) {
	err = w.again(ctx, func(ctx context.Context) (err error) {
		ch, err = w.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: w.cfg.Channel})
		return err
	})
	return ch, err
}

func (w *Workspace) listMembers(ctx context.Context) (map[string]bool, error) {
	all := map[string]bool{}
	for cursor := ""; ; {
		var page []string
		var next string
		err := w.again(ctx, func(ctx context.Context) (err error) {
			page, next, err = w.api.GetUsersInConversationContext(ctx, &slack.GetUsersInConversationParameters{
				ChannelID: w.cfg.Channel, Cursor: cursor, Limit: 999,
			})
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, u := range page {
			all[u] = true
		}
		if next == "" || next == cursor {
			return maps.Clone(all), nil
		}
		cursor = next
	}
}

// ByEmail finds the user with an email. It informs and never authorises: emails in Slack can be changed.
func (w *Workspace) ByEmail(ctx context.Context, email string) (string, error) {
	var u *slack.User
	err := w.again(ctx, func(ctx context.Context) (err error) {
		u, err = w.api.GetUserByEmailContext(ctx, email)
		return err
	})
	switch {
	case code(err) == "users_not_found":
		return "", commands.ErrNotFound
	case err != nil:
		return "", fmt.Errorf("look up a user by email: %w", err)
	case u == nil || u.ID == "":
		return "", errors.New("look up a user by email: the answer names nobody")
	}
	return u.ID, nil
}
