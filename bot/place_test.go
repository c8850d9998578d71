package bot_test

import (
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
)

func TestAButtonFindsItsAccountByWhatItNamesAndByNoWord(t *testing.T) {
	r := newRig(t, nil)
	if err := r.do(commands.KindNotice, "notice/claim", commands.Work{Notice: commands.NoticeClaimed, Source: "acme", Account: account, User: kim, By: ana}); err != nil {
		t.Fatal(err)
	}
	said := r.messages(room)
	r.click(ana, said[len(said)-1], "account.show")
	r.until("the account is shown", func() bool { return r.verbs.count("account at acme/"+string(account)) == 1 })
}
