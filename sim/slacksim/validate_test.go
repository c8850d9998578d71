package slacksim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

type o = map[string]any

func str(n int) string { return strings.Repeat("한", n) } // characters count, not bytes

func pt(n int) o { return o{"type": "plain_text", "text": str(n)} }

func md(n int) o { return o{"type": "mrkdwn", "text": str(n)} }

func section(extra o) o { return with(o{"type": "section", "text": md(1)}, extra) }

func actions(es ...any) o { return o{"type": "actions", "elements": es} }

func button(extra o) o {
	return with(o{"type": "button", "action_id": "b", "text": pt(1)}, extra)
}

func menu(extra o) o {
	return with(o{"type": "static_select", "action_id": "m", "options": options(1)}, extra)
}

func field(element o) o { return o{"type": "input", "label": pt(1), "element": element} }

func typed(extra o) o { return with(o{"type": "plain_text_input", "action_id": "t"}, extra) }

func with(base, extra o) o {
	maps.Copy(base, extra)
	return base
}

func repeat(n int, f func(i int) any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func options(n int) []any {
	return repeat(n, func(i int) any { return o{"text": pt(1), "value": strconv.Itoa(i)} })
}

func rows(n, columns, text int) []any {
	return repeat(n, func(int) any {
		return repeat(columns, func(int) any { return o{"type": "raw_text", "text": str(text)} })
	})
}

func confirm(extra o) o {
	return section(o{"accessory": button(o{"confirm": with(o{"title": pt(1), "text": pt(1), "confirm": pt(1), "deny": pt(1)}, extra)})})
}

func encoded(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEachLimitOfBlockKitHoldsToTheCharacter(t *testing.T) {
	for _, c := range []struct {
		what    string
		surface slacksim.Surface
		limit   int
		pointer string
		block   func(n int) any
	}{
		{"section text", slacksim.SurfaceMessage, 3000, "/blocks/0/text/text", func(n int) any { return section(o{"text": md(n)}) }},
		{"section field", slacksim.SurfaceMessage, 2000, "/blocks/0/fields/0/text", func(n int) any { return section(o{"fields": []any{md(n)}}) }},
		{"section fields", slacksim.SurfaceMessage, 10, "/blocks/0/fields", func(n int) any { return section(o{"fields": repeat(n, func(int) any { return md(1) })}) }},
		{"header", slacksim.SurfaceMessage, 150, "/blocks/0/text/text", func(n int) any { return o{"type": "header", "text": pt(n)} }},
		{"button text", slacksim.SurfaceMessage, 75, "/blocks/0/elements/0/text/text", func(n int) any { return actions(button(o{"text": pt(n)})) }},
		{"button value", slacksim.SurfaceMessage, 2000, "/blocks/0/elements/0/value", func(n int) any { return actions(button(o{"value": str(n)})) }},
		{"button url", slacksim.SurfaceMessage, 3000, "/blocks/0/elements/0/url", func(n int) any { return actions(button(o{"url": str(n)})) }},
		{"accessibility label", slacksim.SurfaceMessage, 75, "/blocks/0/elements/0/accessibility_label", func(n int) any { return actions(button(o{"accessibility_label": str(n)})) }},
		{"action id", slacksim.SurfaceMessage, 255, "/blocks/0/elements/0/action_id", func(n int) any { return actions(button(o{"action_id": str(n)})) }},
		{"block id", slacksim.SurfaceMessage, 255, "/blocks/0/block_id", func(n int) any { return o{"type": "divider", "block_id": str(n)} }},
		{"actions", slacksim.SurfaceMessage, 25, "/blocks/0/elements", func(n int) any {
			return actions(repeat(n, func(i int) any { return button(o{"action_id": strconv.Itoa(i)}) })...)
		}},
		{"context elements", slacksim.SurfaceMessage, 10, "/blocks/0/elements", func(n int) any { return o{"type": "context", "elements": repeat(n, func(int) any { return md(1) })} }},
		{"context actions", slacksim.SurfaceMessage, 5, "/blocks/0/elements", func(n int) any {
			return o{"type": "context_actions", "elements": repeat(n, func(i int) any {
				return o{"type": "icon_button", "icon": "trash", "text": pt(1), "action_id": strconv.Itoa(i)}
			})}
		}},
		{"select options", slacksim.SurfaceMessage, 100, "/blocks/0/elements/0/options", func(n int) any { return actions(menu(o{"options": options(n)})) }},
		{"option groups", slacksim.SurfaceMessage, 100, "/blocks/0/elements/0/option_groups", func(n int) any {
			return actions(o{"type": "static_select", "option_groups": repeat(n, func(int) any { return o{"label": pt(1), "options": options(1)} })})
		}},
		{"option text", slacksim.SurfaceMessage, 75, "/blocks/0/elements/0/options/0/text/text", func(n int) any { return actions(menu(o{"options": []any{o{"text": pt(n), "value": "v"}}})) }},
		{"option value", slacksim.SurfaceMessage, 75, "/blocks/0/elements/0/options/0/value", func(n int) any { return actions(menu(o{"options": []any{o{"text": pt(1), "value": str(n)}}})) }},
		{"overflow", slacksim.SurfaceMessage, 5, "/blocks/0/elements/0/options", func(n int) any { return actions(o{"type": "overflow", "options": options(n)}) }},
		{"radio buttons", slacksim.SurfaceMessage, 10, "/blocks/0/elements/0/options", func(n int) any { return actions(o{"type": "radio_buttons", "options": options(n)}) }},
		{"checkboxes", slacksim.SurfaceMessage, 10, "/blocks/0/elements/0/options", func(n int) any { return actions(o{"type": "checkboxes", "options": options(n)}) }},
		{"placeholder", slacksim.SurfaceMessage, 150, "/blocks/0/elements/0/placeholder/text", func(n int) any { return actions(menu(o{"placeholder": pt(n)})) }},
		{"confirm title", slacksim.SurfaceMessage, 100, "/blocks/0/accessory/confirm/title/text", func(n int) any { return confirm(o{"title": pt(n)}) }},
		{"confirm text", slacksim.SurfaceMessage, 300, "/blocks/0/accessory/confirm/text/text", func(n int) any { return confirm(o{"text": pt(n)}) }},
		{"confirm button", slacksim.SurfaceMessage, 30, "/blocks/0/accessory/confirm/confirm/text", func(n int) any { return confirm(o{"confirm": pt(n)}) }},
		{"deny button", slacksim.SurfaceMessage, 30, "/blocks/0/accessory/confirm/deny/text", func(n int) any { return confirm(o{"deny": pt(n)}) }},
		{"input label", slacksim.SurfaceModal, 2000, "/blocks/0/label/text", func(n int) any { return with(field(typed(nil)), o{"label": pt(n)}) }},
		{"input hint", slacksim.SurfaceModal, 2000, "/blocks/0/hint/text", func(n int) any { return with(field(typed(nil)), o{"hint": pt(n)}) }},
		{"input placeholder", slacksim.SurfaceModal, 150, "/blocks/0/element/placeholder/text", func(n int) any { return field(typed(o{"placeholder": pt(n)})) }},
		{"input max_length", slacksim.SurfaceModal, 3000, "/blocks/0/element/max_length", func(n int) any { return field(typed(o{"max_length": n})) }},
		{"alert", slacksim.SurfaceModal, 200, "/blocks/0/text/text", func(n int) any { return o{"type": "alert", "text": pt(n)} }},
		{"image alt text", slacksim.SurfaceMessage, 2000, "/blocks/0/alt_text", func(n int) any { return o{"type": "image", "image_url": "https://x", "alt_text": str(n)} }},
		{"markdown", slacksim.SurfaceMessage, 12_000, "/blocks/0/text", func(n int) any { return o{"type": "markdown", "text": str(n)} }},
		{"table rows", slacksim.SurfaceMessage, 100, "/blocks/0/rows", func(n int) any { return o{"type": "table", "rows": rows(n, 1, 1)} }},
		{"table cells", slacksim.SurfaceMessage, 20, "/blocks/0/rows/0", func(n int) any { return o{"type": "table", "rows": rows(1, n, 1)} }},
		{"table characters", slacksim.SurfaceMessage, 10_000, "/blocks", func(n int) any { return o{"type": "table", "rows": rows(1, 1, n)} }},
		{"data table rows", slacksim.SurfaceMessage, 201, "/blocks/0/rows", func(n int) any { return o{"type": "data_table", "caption": "c", "rows": rows(n, 1, 1)} }},
		{"data table columns", slacksim.SurfaceMessage, 20, "/blocks/0/rows/0", func(n int) any { return o{"type": "data_table", "caption": "c", "rows": rows(2, n, 1)} }},
		{"data table characters", slacksim.SurfaceMessage, 20_000, "/blocks", func(n int) any {
			return o{"type": "data_table", "caption": "c", "rows": append(rows(1, 2, n/4), append(rows(1, 2, n/4), rows(1, 1, n%4)...)...)}
		}},
		{"data table page size", slacksim.SurfaceMessage, 100, "/blocks/0/page_size", func(n int) any { return o{"type": "data_table", "caption": "c", "rows": rows(2, 1, 1), "page_size": n} }},
		{"card title", slacksim.SurfaceMessage, 150, "/blocks/0/title/text", func(n int) any { return o{"type": "card", "title": pt(n)} }},
		{"card body", slacksim.SurfaceMessage, 200, "/blocks/0/body/text", func(n int) any { return o{"type": "card", "body": md(n)} }},
		{"carousel", slacksim.SurfaceMessage, 10, "/blocks/0/elements", func(n int) any {
			return o{"type": "carousel", "elements": repeat(n, func(int) any { return o{"type": "card", "title": pt(1)} })}
		}},
		{"container title", slacksim.SurfaceMessage, 150, "/blocks/0/title/text", func(n int) any {
			return o{"type": "container", "title": pt(n), "child_blocks": []any{o{"type": "divider"}}}
		}},
		{"card actions", slacksim.SurfaceMessage, 5, "/blocks/0/actions", func(n int) any {
			return o{"type": "card", "actions": repeat(n, func(i int) any { return button(o{"action_id": strconv.Itoa(i)}) })}
		}},
		{"option description", slacksim.SurfaceMessage, 75, "/blocks/0/elements/0/options/0/description/text", func(n int) any {
			return actions(menu(o{"options": []any{o{"text": pt(1), "value": "v", "description": pt(n)}}}))
		}},
		{"input min_length", slacksim.SurfaceModal, 3000, "/blocks/0/element/min_length", func(n int) any { return field(typed(o{"min_length": n})) }},
		{"files", slacksim.SurfaceModal, 10, "/blocks/0/element/max_files", func(n int) any { return field(o{"type": "file_input", "max_files": n}) }},
		{"list indent", slacksim.SurfaceMessage, 8, "/blocks/0/elements/0/indent", func(n int) any {
			return o{"type": "rich_text", "elements": []any{o{"type": "rich_text_list", "style": "bullet", "indent": n, "elements": []any{
				o{"type": "rich_text_section", "elements": []any{o{"type": "text", "text": "x"}}},
			}}}}
		}},
		{"chart title", slacksim.SurfaceMessage, 50, "/blocks/0/title", func(n int) any {
			return o{"type": "data_visualization", "title": str(n), "chart": o{"type": "pie", "segments": []any{o{"label": "a", "value": 1}}}}
		}},
		{"pie segments", slacksim.SurfaceMessage, 6, "/blocks/0/chart/segments", func(n int) any {
			return o{"type": "data_visualization", "title": "t", "chart": o{"type": "pie", "segments": repeat(n, func(int) any { return o{"label": "a", "value": 1} })}}
		}},
		{"video title", slacksim.SurfaceMessage, 199, "/blocks/0/title/text", func(n int) any {
			return o{"type": "video", "alt_text": "x", "thumbnail_url": "https://x", "video_url": "https://x", "title": pt(n)}
		}},
		{"container children", slacksim.SurfaceMessage, 10, "/blocks/0/child_blocks", func(n int) any {
			return o{"type": "container", "title": pt(1), "child_blocks": repeat(n, func(int) any { return o{"type": "divider"} })}
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := slacksim.Validate(c.surface, encoded(t, []any{c.block(c.limit)})); len(got) != 0 {
				t.Errorf("at the limit of %d: %v", c.limit, got)
			}
			got := slacksim.Validate(c.surface, encoded(t, []any{c.block(c.limit + 1)}))
			if len(got) == 0 || got[0].Pointer != c.pointer {
				t.Errorf("one over the limit: got %v, want a problem at %s", got, c.pointer)
			}
		})
	}
}

func TestASurfaceTakesItsNumberOfBlocks(t *testing.T) {
	for surface, limit := range map[slacksim.Surface]int{slacksim.SurfaceMessage: 50, slacksim.SurfaceModal: 100, slacksim.SurfaceHome: 100} {
		divider := func(int) any { return o{"type": "divider"} }
		if got := slacksim.Validate(surface, encoded(t, repeat(limit, divider))); len(got) != 0 {
			t.Errorf("%s with %d blocks: %v", surface, limit, got)
		}
		got := slacksim.Validate(surface, encoded(t, repeat(limit+1, divider)))
		want := fmt.Sprintf("[ERROR] no more than %d items allowed [json-pointer:/blocks]", limit)
		if len(got) != 1 || got[0].String() != want {
			t.Errorf("%s with %d blocks: got %v, want %s", surface, limit+1, got, want)
		}
	}
}

func TestABlockStandsOnlyOnItsSurfaces(t *testing.T) {
	const message, modal, home = slacksim.SurfaceMessage, slacksim.SurfaceModal, slacksim.SurfaceHome
	everywhere := []slacksim.Surface{message, modal, home}
	rich := o{"type": "rich_text", "elements": []any{o{"type": "rich_text_section", "elements": []any{o{"type": "text", "text": "x"}}}}}
	for _, c := range []struct {
		block o
		where []slacksim.Surface
	}{
		{actions(button(nil)), everywhere},
		{o{"type": "card", "title": pt(1)}, everywhere},
		{o{"type": "context", "elements": []any{md(1)}}, everywhere},
		{o{"type": "divider"}, everywhere},
		{o{"type": "header", "text": pt(1)}, everywhere},
		{o{"type": "image", "image_url": "https://x", "alt_text": "x"}, everywhere},
		{field(typed(nil)), everywhere},
		{rich, everywhere},
		{section(nil), everywhere},
		{o{"type": "video", "alt_text": "x", "thumbnail_url": "https://x", "video_url": "https://x", "title": pt(1)}, everywhere},
		{o{"type": "alert", "text": pt(1), "level": "warning"}, []slacksim.Surface{modal}},
		{o{"type": "container", "title": pt(1), "child_blocks": []any{o{"type": "divider"}}}, []slacksim.Surface{message, home}},
		{o{"type": "table", "rows": rows(1, 1, 1)}, []slacksim.Surface{message, home}},
		{o{"type": "data_table", "caption": "c", "rows": rows(2, 1, 1)}, []slacksim.Surface{message, home}},
		{o{"type": "data_visualization", "title": "t", "chart": o{"type": "pie", "segments": []any{o{"label": "a", "value": 1}}}}, []slacksim.Surface{message, home}},
		{o{"type": "context_actions", "elements": []any{o{"type": "icon_button", "icon": "trash", "text": pt(1)}}}, []slacksim.Surface{message}},
		{o{"type": "file", "external_id": "x", "source": "remote"}, []slacksim.Surface{message}},
		{o{"type": "markdown", "text": "x"}, []slacksim.Surface{message}},
		{o{"type": "task_card", "task_id": "1", "title": "x"}, []slacksim.Surface{message}},
	} {
		for _, surface := range everywhere {
			allowed := false
			for _, w := range c.where {
				allowed = allowed || w == surface
			}
			got := slacksim.Validate(surface, encoded(t, []any{c.block}))
			if allowed && len(got) != 0 {
				t.Errorf("%v in a %s: %v", c.block["type"], surface, got)
			}
			if !allowed && (len(got) != 1 || got[0].Pointer != "/blocks/0/type") {
				t.Errorf("%v in a %s: got %v, want it refused", c.block["type"], surface, got)
			}
		}
	}
}

func TestMalformedBlocksAreRefusedWithTheirPlace(t *testing.T) {
	for _, c := range []struct{ what, blocks, want string }{
		{"an empty text", `[{"type":"section","text":{"type":"mrkdwn","text":""}}]`, "[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		{"no type", `[{}]`, "[ERROR] missing required field: type [json-pointer:/blocks/0]"},
		{"an unknown type", `[{"type":"marquee"}]`, "[ERROR] unsupported type: marquee [json-pointer:/blocks/0/type]"},
		{"a property Slack does not know", `[{"type":"divider","text":"x"}]`, "[ERROR] invalid additional property: text [json-pointer:/blocks/0]"},
		{"markdown in a header", `[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`, "[ERROR] must be plain_text [json-pointer:/blocks/0/text/type]"},
		{"a section without text or fields", `[{"type":"section"}]`, "[ERROR] must provide either `text` or `fields` [json-pointer:/blocks/0]"},
		{"a missing text", `[{"type":"header"}]`, "[ERROR] missing required field: text [json-pointer:/blocks/0]"},
		{"a style Slack does not know", `[{"type":"actions","elements":[{"type":"button","style":"huge","text":{"type":"plain_text","text":"x"}}]}]`, "[ERROR] value must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]"},
		{"actions without elements", `[{"type":"actions","elements":[]}]`, "[ERROR] no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"},
		{"a menu without options", `[{"type":"actions","elements":[{"type":"static_select"}]}]`, "[ERROR] must define either `options` or `option_groups` [json-pointer:/blocks/0/elements/0]"},
		{"an input as an accessory", `[{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":{"type":"plain_text_input"}}]`, "[ERROR] unsupported type: plain_text_input [json-pointer:/blocks/0/accessory/type]"},
		{"a block id that stands twice", `[{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}]`, "[ERROR] `block_id` a already exists; it must be unique [json-pointer:/blocks/1/block_id]"},
		{"an action id that stands twice in a block", `[{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"plain_text","text":"x"}},{"type":"button","action_id":"a","text":{"type":"plain_text","text":"y"}}]}]`, "[ERROR] `action_id` a already exists; it must be unique [json-pointer:/blocks/0/elements/1/action_id]"},
		{"a rich header cell in a data table", `[{"type":"data_table","caption":"c","rows":[[{"type":"rich_text","elements":[]}],[{"type":"raw_text","text":"x"}]]}]`, "[ERROR] unsupported type: rich_text [json-pointer:/blocks/0/rows/0/0/type]"},
		{"a data table without caption", `[{"type":"data_table","rows":[[{"type":"raw_text","text":"x"}],[{"type":"raw_text","text":"x"}]]}]`, "[ERROR] missing required field: caption [json-pointer:/blocks/0]"},
		{"no array", `{"type":"divider"}`, "[ERROR] must be an array of blocks [json-pointer:/blocks]"},
		{"a block that is no object", `[7]`, "[ERROR] must be an object [json-pointer:/blocks/0]"},
	} {
		got := slacksim.Validate(slacksim.SurfaceMessage, json.RawMessage(c.blocks))
		if len(got) == 0 || got[0].String() != c.want {
			t.Errorf("%s: got %v, want %s", c.what, got, c.want)
		}
	}
}

func TestMarkdownIsCountedOverTheWholeMessage(t *testing.T) {
	two := []any{o{"type": "markdown", "text": str(6000)}, o{"type": "markdown", "text": str(6001)}}
	got := slacksim.Validate(slacksim.SurfaceMessage, encoded(t, two))
	if len(got) != 1 || got[0].Pointer != "/blocks" {
		t.Errorf("12,001 characters in two blocks: %v", got)
	}
}

func TestTheSameActionIDMayStandInTwoBlocks(t *testing.T) {
	if got := slacksim.Validate(slacksim.SurfaceMessage, encoded(t, []any{actions(button(nil)), actions(button(nil))})); len(got) != 0 {
		t.Error(got)
	}
}

func FuzzValidate(f *testing.F) {
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"x"}}]`)
	f.Add(`[{"type":"actions","elements":[{"type":"overflow","options":[{"text":null}]}]}]`)
	f.Add(`[{"type":"container","child_blocks":[{"type":"container"}]}]`)
	f.Fuzz(func(_ *testing.T, blocks string) {
		for _, s := range []slacksim.Surface{slacksim.SurfaceMessage, slacksim.SurfaceModal, slacksim.SurfaceHome} {
			slacksim.Validate(s, json.RawMessage(blocks))
		}
	})
}
