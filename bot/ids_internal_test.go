package bot

import "testing"

func TestAButtonToResumeNamesItsPause(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{
		"7": 7, "resume": -1, "": -1, "0": -1, "-3": -1, "7|8": -1,
		resumeButton(voices(t)["en"], 12).Value: 12,
	} {
		if got := pauseVersion(value); got != want {
			t.Errorf("%q names version %d, want %d", value, got, want)
		}
	}
}
