package slacksim

// Ids of the people and places that Demo seeds, for tests and scripts to name.
const (
	ChannelRoot    = "C0AWSROOT01"
	ChannelGeneral = "C0GENERAL01"
	ChannelPartner = "C0PARTNER01"
	UserAna        = "U0ANASILVA1" // requester
	UserBen        = "U0BENOKAFOR" // approver
	UserCho        = "U0CHOYUNA01" // approver
	UserKim        = "U0KIMMINJUN" // Korean-speaking owner
	UserOlivia     = "U0OLIVIAHRT" // English-speaking owner
	UserGuest      = "U0GABIREYES" // guest in the bot's channel
	UserStranger   = "U0SAMPARTNR" // Slack Connect, another workspace
	UserGone       = "U0DARAVOSS1" // deactivated
	GroupApprovers = "S0APPROVERS"
)

// Demo seeds the workspace of the demo: #aws-root (private, with the bot), #general, one Slack
// Connect channel, the people named by the constants of this package, and @aws-root-approvers.
func Demo(w *Workspace) {
	for _, u := range []User{
		{ID: UserAna, Name: "ana", RealName: "Ana Silva", Email: "ana.silva@example.com", Title: "Cloud platform", Locale: "en-US"},
		{ID: UserBen, Name: "ben", RealName: "Ben Okafor", Email: "ben.okafor@example.com", Title: "Security", Admin: true, Locale: "en-GB"},
		{ID: UserCho, Name: "yuna", RealName: "Cho Yuna", Email: "yuna.cho@example.com", Title: "Security", Locale: "en-US", TZ: "Asia/Seoul"},
		{ID: UserKim, Name: "minjun", RealName: "Kim Minjun 김민준", Email: "minjun.kim@example.com", Title: "Payments", Locale: "ko-KR", TZ: "Asia/Seoul"},
		{ID: UserOlivia, Name: "olivia", RealName: "Olivia Hart", Email: "olivia.hart@example.com", Title: "Data", Locale: "en-US"},
		{ID: UserGuest, Name: "gabi", RealName: "Gabi Reyes", Email: "gabi.reyes@example.com", Title: "Contractor", Guest: true},
		{ID: UserStranger, Name: "sam", RealName: "Sam Partner", TeamID: "T0PARTNERCO", Stranger: true},
		{ID: UserGone, Name: "dara", RealName: "Dara Voss", Email: "dara.voss@example.com", Deleted: true},
	} {
		w.AddUser(u)
	}
	w.AddChannel(Channel{
		ID: ChannelRoot, Name: "aws-root", Topic: "Root users of our AWS accounts", Private: true,
		Members: []string{BotUserID, UserAna, UserBen, UserCho, UserGuest},
	})
	w.AddChannel(Channel{
		ID: ChannelGeneral, Name: "general", Topic: "Company-wide announcements",
		Members: []string{UserAna, UserBen, UserCho, UserKim, UserOlivia},
	})
	w.AddChannel(Channel{
		ID: ChannelPartner, Name: "partner", Topic: "Shared with a partner", Shared: true,
		Members: []string{UserBen, UserStranger},
	})
	w.AddGroup(Group{ID: GroupApprovers, Handle: "aws-root-approvers", Name: "AWS root approvers", Users: []string{UserBen, UserCho}})
}
