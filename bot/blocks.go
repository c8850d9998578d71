package bot

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// This file makes the pieces that messages and modals are built of, each within Slack's limits. The rules are:
//   - Blocks hold what is seen; the top-level text is drawn from the blocks, so that both always say the same.
//     https://docs.slack.dev/messaging#accessibility
//   - Cutting is the last resort and shows an ellipsis. What matters never comes last in a text that may be long.
//   - Text is verbatim: Slack makes no link or mention out of it on its own.

// Slack's limits. https://docs.slack.dev/reference/block-kit/blocks
const (
	maxBlocks      = 50
	maxViewBlocks  = 100
	maxText        = 4000 // of the top-level text, as chat.update refuses more
	maxSection     = 3000
	maxField       = 2000
	maxHeader      = 150
	maxButtonText  = 75
	maxTitle       = 24
	maxLabel       = 2000
	maxPlaceholder = 150
	maxElements    = 10 // of a context block
	maxOverflow    = 5
)

// message is what is posted: blocks, and the same in words.
type message struct {
	Text   string        `json:"text"`
	Blocks []slack.Block `json:"blocks"`
}

// newMessage makes a message of blocks. More blocks than a message may have are cut with a line that says so.
func newMessage(v voice, blocks []slack.Block) message {
	if len(blocks) > maxBlocks {
		blocks = append(blocks[:maxBlocks-1:maxBlocks-1], small(v.say("cut")))
	}
	return message{Text: words(blocks), Blocks: blocks}
}

func fit(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	s = cut(s, limit-1)
	// An entity or a mention that was cut in half would be shown as rubbish, or as something else.
	if i := strings.LastIndexAny(s, "&<"); i >= 0 && !strings.ContainsAny(s[i:], ";>") {
		s = s[:i]
	}
	return s + "…"
}

func mrk(s string, limit int) *slack.TextBlockObject {
	if s == "" {
		s = "–"
	}
	return slack.NewTextBlockObject(slack.MarkdownType, fit(s, limit), false, true)
}

func plain(s string, limit int) *slack.TextBlockObject {
	if s == "" {
		s = "–"
	}
	no := false
	return &slack.TextBlockObject{Type: slack.PlainTextType, Text: fit(s, limit), Emoji: &no}
}

func heading(s string) slack.Block { return slack.NewHeaderBlock(plain(s, maxHeader)) }

func para(s string) slack.Block { return slack.NewSectionBlock(mrk(s, maxSection), nil, nil) }

// paraWith is a paragraph with one control at its side.
func paraWith(s string, e slack.BlockElement) slack.Block {
	return slack.NewSectionBlock(mrk(s, maxSection), nil, slack.NewAccessory(e))
}

// small is a line in small grey type.
func small(lines ...string) slack.Block {
	var elements []slack.MixedElement
	for _, l := range lines {
		if l != "" && len(elements) < maxElements {
			elements = append(elements, mrk(l, maxField))
		}
	}
	if len(elements) == 0 {
		elements = append(elements, mrk("", maxField))
	}
	return slack.NewContextBlock("", elements...)
}

// facts is a table of two columns: pairs of a name and a value. Pairs without a value are left out.
func facts(title string, pairs ...string) slack.Block {
	var fields []*slack.TextBlockObject
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" && len(fields) < 10 {
			fields = append(fields, mrk("*"+pairs[i]+"*\n"+pairs[i+1], maxField))
		}
	}
	if len(fields) == 0 {
		return para(title)
	}
	if title == "" {
		return slack.NewSectionBlock(nil, fields, nil)
	}
	return slack.NewSectionBlock(mrk(title, maxSection), fields, nil)
}

func line() slack.Block { return slack.NewDividerBlock() }

// button is a control. The second label completes the label for those who hear the screen: "Confirm… for key AKIA…7XQ2".
func button(id, value, label, about string) *slack.ButtonBlockElement {
	b := slack.NewButtonBlockElement(id, value, plain(label, maxButtonText))
	if about != "" {
		b.AccessibilityLabel = fit(about, maxButtonText)
	}
	return b
}

func primary(b *slack.ButtonBlockElement) *slack.ButtonBlockElement {
	b.Style = slack.StylePrimary
	return b
}

func danger(b *slack.ButtonBlockElement) *slack.ButtonBlockElement {
	b.Style = slack.StyleDanger
	return b
}

// menu is the three dots that open a few choices, for what is rarely wanted. Slack takes five at most.
func menu(id string, options ...*slack.OptionBlockObject) *slack.OverflowBlockElement {
	return slack.NewOverflowBlockElement(id, firsts(options, maxOverflow)...)
}

// link is a button that opens a page. Slack reports the click on it too, so it has an id that is answered by nothing.
func link(n, label, url string) *slack.ButtonBlockElement {
	b := button(actLink+":"+n, "", label, "")
	b.URL = url
	return b
}

func row(buttons ...*slack.ButtonBlockElement) slack.Block {
	var elements []slack.BlockElement
	for _, b := range buttons {
		if b != nil && len(elements) < 25 {
			elements = append(elements, b)
		}
	}
	return slack.NewActionBlock("", elements...)
}

// words is what the blocks say, for screen readers, notifications and clients without blocks.
func words(blocks []slack.Block) string { return fit(spoken(blocks), maxText) }

func spoken(blocks []slack.Block) string {
	var lines []string
	add := func(ts ...*slack.TextBlockObject) {
		for _, t := range ts {
			if t == nil || t.Text == "" || t.Text == "–" {
				continue
			}
			s := t.Text
			if t.Type == slack.PlainTextType {
				s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
			}
			lines = append(lines, strings.ReplaceAll(strings.ReplaceAll(s, "*\n", ": "), "*", ""))
		}
	}
	for _, b := range blocks {
		switch b := b.(type) {
		case *slack.HeaderBlock:
			add(b.Text)
		case *slack.SectionBlock:
			add(b.Text)
			add(b.Fields...)
			if b.Accessory != nil && b.Accessory.ButtonElement != nil {
				lines = append(lines, labels([]slack.BlockElement{b.Accessory.ButtonElement}))
			}
			if b.Accessory != nil && b.Accessory.OverflowElement != nil {
				lines = append(lines, labels([]slack.BlockElement{b.Accessory.OverflowElement}))
			}
		case *slack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				if t, ok := e.(*slack.TextBlockObject); ok {
					add(t)
				}
			}
		case *slack.ActionBlock:
			if b.Elements != nil {
				lines = append(lines, labels(b.Elements.ElementSet))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// labels names the buttons in a row.
func labels(elements []slack.BlockElement) string {
	var names []string
	for _, e := range elements {
		switch e := e.(type) {
		case *slack.ButtonBlockElement:
			names = append(names, "["+e.Text.Text+"]")
		case *slack.OverflowBlockElement:
			for _, o := range e.Options {
				names = append(names, "["+o.Text.Text+"]")
			}
		}
	}
	return strings.Join(names, " ")
}

// input asks for a line or a paragraph of text.
func input(id, label, hint, placeholder string, shape func(*slack.PlainTextInputBlockElement)) *slack.InputBlock {
	e := slack.NewPlainTextInputBlockElement(nil, id)
	if placeholder != "" {
		e.Placeholder = plain(placeholder, maxPlaceholder)
	}
	if shape != nil {
		shape(e)
	}
	var h *slack.TextBlockObject
	if hint != "" {
		h = plain(hint, maxLabel)
	}
	return slack.NewInputBlock(id, plain(label, maxLabel), h, e)
}

func modal(callback, meta, title, submit, closing string, blocks []slack.Block) slack.ModalViewRequest {
	if len(blocks) > maxViewBlocks {
		blocks = blocks[:maxViewBlocks]
	}
	m := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: meta, Title: plain(title, maxTitle),
		Close: plain(closing, maxTitle), Blocks: slack.Blocks{BlockSet: blocks},
	}
	if submit != "" {
		m.Submit = plain(submit, maxTitle)
	}
	return m
}
