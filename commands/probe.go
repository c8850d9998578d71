package commands

// Probe is one thing that the doctor tried, at whichever edge.
type Probe struct {
	Area   string      `json:"area"` // such as Settings, Slack, "AWS: acme" or Database
	Name   string      `json:"name"`
	Status ProbeStatus `json:"status"`
	Detail string      `json:"detail,omitempty"` // what was seen
	Fix    string      `json:"fix,omitempty"`    // one instruction, where it failed
	Policy string      `json:"policy,omitempty"` // the least policy statement to add, as JSON
}

// ProbeStatus is how a [Probe] went.
type ProbeStatus string

// The statuses of a probe.
const (
	ProbeOK      ProbeStatus = "ok"
	ProbeFailed  ProbeStatus = "failed"
	ProbeSkipped ProbeStatus = "skipped"
)
