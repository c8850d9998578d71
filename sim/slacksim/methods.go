package slacksim

// Tiers of Web API methods, in calls per minute (https://docs.slack.dev/apis/web-api/rate-limits).
const (
	tier1 = 1
	tier2 = 20
	tier3 = 50
	tier4 = 100
)

// methodTable returns every Web API method that the workspace knows. Methods whose scope depends
// on the conversation asked about list none here and check it themselves.
func (w *Workspace) methodTable() map[string]method {
	chat := []string{"chat:write"}
	users := []string{"users:read"}
	groups := []string{"usergroups:read"}
	return map[string]method{
		"api.test":              {run: (*Workspace).apiTest},
		"apps.connections.open": {run: (*Workspace).connectionsOpen, perMinute: tier3, app: true},
		"auth.test":             {run: (*Workspace).authTest, either: true},
		"team.info":             {run: (*Workspace).teamInfo, scopes: []string{"team:read"}, perMinute: tier3},
		"bots.info":             {run: (*Workspace).botsInfo, scopes: users, perMinute: tier3},

		"chat.postMessage":   {run: (*Workspace).postMessage, scopes: chat},
		"chat.postEphemeral": {run: (*Workspace).postEphemeral, scopes: chat, perMinute: tier4},
		"chat.update":        {run: (*Workspace).updateMessage, scopes: chat, perMinute: tier3},
		"chat.delete":        {run: (*Workspace).deleteMessage, scopes: chat, perMinute: tier3},
		"chat.getPermalink":  {run: (*Workspace).permalink},
		"reactions.add":      {run: (*Workspace).addReaction, scopes: []string{"reactions:write"}, perMinute: tier3},

		"conversations.open":    {run: (*Workspace).conversationsOpen, scopes: []string{"im:write", "mpim:write"}, perMinute: tier3},
		"conversations.info":    {run: (*Workspace).conversationsInfo, perMinute: tier3},
		"conversations.members": {run: (*Workspace).conversationsMembers, perMinute: tier4},
		"conversations.list":    {run: (*Workspace).conversationsList, perMinute: tier2},
		"conversations.history": {run: (*Workspace).conversationsHistory, perMinute: tier3},
		"conversations.replies": {run: (*Workspace).conversationsReplies, perMinute: tier3},
		"users.conversations":   {run: (*Workspace).usersConversations, perMinute: tier3},

		"users.info":            {run: (*Workspace).usersInfo, scopes: users, perMinute: tier4},
		"users.list":            {run: (*Workspace).usersList, scopes: users, perMinute: tier2},
		"users.lookupByEmail":   {run: (*Workspace).usersLookupByEmail, scopes: []string{"users:read.email"}, perMinute: tier3},
		"usergroups.list":       {run: (*Workspace).usergroupsList, scopes: groups, perMinute: tier2},
		"usergroups.users.list": {run: (*Workspace).usergroupsUsers, scopes: groups, perMinute: tier2},

		"views.open":    {run: (*Workspace).viewsOpen, perMinute: tier4},
		"views.push":    {run: (*Workspace).viewsPush, perMinute: tier4},
		"views.update":  {run: (*Workspace).viewsUpdate, perMinute: tier4},
		"views.publish": {run: (*Workspace).viewsPublish, perMinute: tier4},

		"files.getUploadURLExternal":   {run: (*Workspace).uploadURL, scopes: []string{"files:write"}, perMinute: tier4},
		"files.completeUploadExternal": {run: (*Workspace).completeUpload, scopes: []string{"files:write"}, perMinute: tier4},
	}
}

func (w *Workspace) apiTest(c *call) (obj, *apiError) {
	if code := c.str("error"); code != "" {
		return nil, &apiError{code: code, extra: obj{"args": c.args}}
	}
	return obj{"args": c.args}, nil
}

func (w *Workspace) authTest(c *call) (obj, *apiError) {
	if c.token == "app" {
		return obj{"app_name": "rootcheck", "app_id": AppID}, nil
	}
	return obj{
		"url": "https://" + TeamDomain + ".slack.com/", "team": TeamName, "user": "rootcheck",
		"team_id": TeamID, "user_id": BotUserID, "bot_id": BotID, "is_enterprise_install": false,
	}, nil
}

func (w *Workspace) teamInfo(*call) (obj, *apiError) {
	return obj{"team": obj{"id": TeamID, "name": TeamName, "domain": TeamDomain, "email_domain": "example.com", "icon": obj{}}}, nil
}

func (w *Workspace) botsInfo(c *call) (obj, *apiError) {
	if id := c.str("bot"); id != "" && id != BotID {
		return fail("bot_not_found")
	}
	return obj{"bot": obj{
		"id": BotID, "deleted": false, "name": "rootcheck", "updated": 0, "app_id": AppID, "user_id": BotUserID, "icons": obj{},
	}}, nil
}
