package slacksim

import (
	"slices"
	"strings"
)

// userJSON is a person as apps see them; the e-mail address needs its own scope. The caller holds mu.
func (w *Workspace) userJSON(u *User, locale bool) obj {
	profile := obj{
		"real_name": u.RealName, "real_name_normalized": u.RealName, "display_name": u.Name, "display_name_normalized": u.Name,
		"title": u.Title, "team": u.TeamID, "status_text": "", "status_emoji": "", "avatar_hash": "g000000",
	}
	if u.Email != "" && w.granted("users:read.email") {
		profile["email"] = u.Email
	}
	out := obj{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "deleted": u.Deleted, "real_name": u.RealName, "tz": u.TZ,
		"profile": profile, "is_admin": u.Admin, "is_owner": false, "is_primary_owner": false,
		"is_restricted": u.Guest, "is_ultra_restricted": false, "is_bot": u.Bot, "is_app_user": false,
		"is_email_confirmed": !u.Bot, "updated": 0,
	}
	if u.Stranger {
		out["is_stranger"] = true
	}
	if u.Bot {
		profile["bot_id"], profile["api_app_id"] = BotID, AppID
	}
	if locale {
		out["locale"] = u.Locale
	}
	return out
}

func (w *Workspace) usersInfo(c *call) (obj, *apiError) {
	u := w.users[c.str("user")]
	if u == nil {
		return fail("user_not_found")
	}
	return obj{"user": w.userJSON(u, c.flag("include_locale"))}, nil
}

func (w *Workspace) usersList(c *call) (obj, *apiError) {
	from, to, next, e := page(c, len(w.userOrder), 200, 1000)
	if e != nil {
		return nil, e
	}
	members := []obj{}
	for _, id := range w.userOrder[from:to] {
		members = append(members, w.userJSON(w.users[id], c.flag("include_locale")))
	}
	return obj{"members": members, "cache_ts": w.cfg.Now().Unix(), "response_metadata": cursor(next)}, nil
}

// usersLookupByEmail does not find deactivated people, as in Slack.
func (w *Workspace) usersLookupByEmail(c *call) (obj, *apiError) {
	for _, id := range w.userOrder {
		u := w.users[id]
		if u.Email != "" && strings.EqualFold(u.Email, c.str("email")) && !u.Deleted && !u.Stranger {
			return obj{"user": w.userJSON(u, false)}, nil
		}
	}
	return fail("users_not_found")
}

func (w *Workspace) usergroupsList(c *call) (obj, *apiError) {
	out := []obj{}
	for _, id := range w.groupOrder {
		g := w.groups[id]
		if g.Disabled && !c.flag("include_disabled") {
			continue
		}
		j := obj{
			"id": g.ID, "team_id": TeamID, "is_usergroup": true, "name": g.Name, "description": "", "handle": g.Handle,
			"is_external": false, "date_create": 0, "date_update": 0, "date_delete": 0, "auto_type": nil,
			"created_by": UserBen, "updated_by": UserBen, "deleted_by": nil, "prefs": obj{"channels": []string{}, "groups": []string{}},
			"user_count": len(g.Users),
		}
		if c.flag("include_users") {
			j["users"] = nonNil(g.Users)
		}
		out = append(out, j)
	}
	return obj{"usergroups": out}, nil
}

func (w *Workspace) usergroupsUsers(c *call) (obj, *apiError) {
	g := w.groups[c.str("usergroup")]
	if g == nil || g.Disabled && !c.flag("include_disabled") {
		return fail("no_such_subteam")
	}
	return obj{"users": nonNil(g.Users)}, nil
}

func nonNil(list []string) []string {
	return append([]string{}, slices.Clone(list)...)
}
